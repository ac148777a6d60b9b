"""What can be done to a good fake host, and what the checks then find."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.infra.fake_host import FakeHost


@dataclass(frozen=True)
class Case:
    """What is done to a good host, and what the doctor then says.

    Attributes:
        spoil: Makes it a bad one.
        severity: Of the finding.
        id: Of the finding.
        words: Parts of what is said about it, rule and remedy included.
    """

    spoil: Callable[[FakeHost], object]
    severity: str
    id: str
    words: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()


def says(name: str, body: str) -> Callable[[FakeHost], object]:
    return lambda host: host.program(name, body)


def has(path: str, text: str | bytes = "") -> Callable[[FakeHost], object]:
    return lambda host: host.write(path, text)


def addresses(text: str) -> Callable[[FakeHost], object]:
    return lambda host: (host.fake / "addresses").write_text(text)


def routes(text: str) -> Callable[[FakeHost], object]:
    return lambda host: (host.fake / "routes").write_text(text)


def both(*spoils: Callable[[FakeHost], object]) -> Callable[[FakeHost], object]:
    return lambda host: [spoil(host) for spoil in spoils]


def lan(cidr: str) -> Callable[[FakeHost], object]:
    return addresses(f"2: eth0    inet {cidr} brd 198.51.100.255 scope global eth0\n")


def at(address: str) -> tuple[tuple[str, str], ...]:
    return (("ADDRESS", address),)


def mounts(root: str, *others: str) -> Callable[[FakeHost], object]:
    return has("proc/mounts", "".join(f"{line}\n" for line in (root, *others)))


def command_line(line: bytes) -> Callable[[FakeHost], object]:
    return both(has("boot/firmware/cmdline.txt", line), lambda host: host.boot())
