"""A tree of Debian bookworm in memory, from the archive that this machine installs from."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sandbox.machine.process import run

SUITE = "bookworm"
# On a disk, where each package is written through, it takes twice as long.
_SIZE = "3g"


@contextmanager
def debootstrap(packages: Sequence[str]) -> Iterator[Path]:
    """Yield a tree with Debian's essential packages and those given; it is gone after the block.

    Args:
        packages: Names of packages.

    Raises:
        SandboxError: If the archive cannot be reached or lacks a package.
    """
    with tempfile.TemporaryDirectory(prefix="piray-debian-") as name:
        root = Path(name)
        run("mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=755", "piray-debian", root)
        try:
            include = f"--include={','.join(packages)}"
            run("debootstrap", "--variant=minbase", include, SUITE, root, *_archive())
            for folder in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
                run("find", root / folder, "-type", "f", "-delete")
            yield root
        finally:
            run("umount", "--recursive", root)


def private_apt(state: Path, arch: str) -> list[str]:
    """Return options for apt's programs, of a machine on which nothing is installed; its lists are new.

    Args:
        state: Empty directory.
        arch: Debian's name of the processor.

    Raises:
        SandboxError: If the archive cannot be reached.
    """
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True)
    # Its lock is beside the status.
    (state / "status").touch()
    options = {
        "APT::Architecture": arch,
        "APT::Architectures::": arch,
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Dir::Cache": str(state),
        "Dir::State": str(state),
        "Dir::State::status": str(state / "status"),
    }
    arguments = [f"-o{option}={value}" for option, value in options.items()]
    run("apt-get", *arguments, "update")
    return arguments


def _archive() -> list[str]:
    """Return the address of the Debian archive in this machine's own sources; none on another system."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        if file.suffix in {".list", ".sources"} and file.is_file():
            found = find_archive(file.read_text())
            if found:
                return [found]
    return []


def find_archive(sources: str) -> str | None:
    """Find the address of bookworm's archive in the text of an apt source file, of either format.

    Args:
        sources: Contents of a file for apt.
    """
    for stanza in re.split(r"\n\s*\n", sources):
        fields = dict(re.findall(r"^(\w+):[ \t]*(.+)$", stanza, re.MULTILINE))
        if SUITE in fields.get("Suites", "").split():
            return str(fields["URIs"].split()[0])
    one_line = re.findall(rf"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+{SUITE}\s", sources, re.MULTILINE)
    return str(one_line[0]) if one_line else None
