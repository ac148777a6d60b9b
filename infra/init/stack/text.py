"""A stack file as text, with a comment at each key; and changes to the text of one that exists."""

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.init.dialogue.values import InitError

# What YAML 1.1 or 1.2 takes for something else than text.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


@dataclass(frozen=True)
class StackAnswers:
    """All that a new stack file is made of.

    Attributes:
        hosts: The Pis in their order, each with name, address, role and hostKey.
        user: Who logs in.
        port: Of the SSH servers.
        key_file: File of the private key; None for the SSH agent.
        workers: Number of Ray workers.
        arch: Processor of the Pis.
        sudo_asks: Whether sudo asks the user for a password.
    """

    hosts: Sequence[Mapping[str, str]]
    user: str
    port: int
    key_file: str | None
    workers: int
    arch: str
    sudo_asks: bool


def stack_text(name: str, answers: StackAnswers, kept: Mapping[str, str]) -> str:
    """Return the text of a new stack file.

    Args:
        name: Of the stack.
        answers: What it says.
        kept: Top-level keys of a file that it replaces: they bind the stack to its secrets.
    """
    lines = [f"{key}: {scalar(value)}" for key, value in kept.items()]
    lines += _HEAD.format(name=name, arch=answers.arch).splitlines()
    for host in answers.hosts:
        lines += [f"    - name: {scalar(host['name'])}", f"      address: {scalar(host['address'])}"]
        lines += [f"      role: {host['role']}", f"      hostKey: {host['hostKey']}"]
    lines += _ssh_lines(name, answers)
    lines += _TAIL.format(workers=answers.workers).splitlines()
    if len(answers.hosts) == 1:
        lines += _SINGLE.splitlines()
    return "\n".join(lines) + "\n"


_HEAD = """\
# Made by `piray init {name}`. Every key is explained in docs/stack-file.md.
# Look at what would happen by `make preview STACK={name}`, and do it by `make up STACK={name}`.
config:
  piray:platform: pi
  # The processor. If `uname -m` on the Pi prints aarch64, it is arm64.
  piray:arch: {arch}
  piray:hosts:
    # name: the hostname of the Pi. address: it must not change, so reserve it in your router.
    # role: one server, or three; the others are agents. hostKey: how piray knows that it talks to this Pi.
    # Add `memoryMib: 4096` to every host, and piray can say before it starts that the workers do not fit."""

_TAIL = """\
  # Each worker computes with the CPUs and memory of piray:ray.workerCpus and piray:ray.workerMemoryMib.
  piray:workers: {workers}"""

# By default a worker has 3 CPUs and the head 1, and the system needs some as well.
_SINGLE = """\
  # On a single Pi with 4 cores the worker shares them with the head and with the system.
  piray:ray:
    workerCpus: 2"""


def _ssh_lines(name: str, answers: StackAnswers) -> list[str]:
    lines = [
        "  piray:ssh:",
        "    # The user that your key logs in as on every Pi.",
        f"    user: {scalar(answers.user)}",
    ]
    if answers.port != 22:  # noqa: PLR2004 — the default of SSH
        lines.append(f"    port: {answers.port}")
    if answers.key_file is None:
        lines.append("    # The keys of your SSH agent are used. `privateKeyFile: FILE` uses a file instead.")
    else:
        lines += [
            "    # Without this line the keys of your SSH agent are used.",
            f"    privateKeyFile: {scalar(answers.key_file)}",
        ]
    if answers.sudo_asks:
        lines += [
            "  # sudo asks for a password. This command stores it encrypted, under piray:sudoPassword:",
            f"  # {sudo_password_command(name)}",
        ]
    return lines


def sudo_password_command(name: str) -> str:
    """Return the command that stores the password of sudo in a stack."""
    return f"pulumi config set --stack {name} --secret piray:sudoPassword"


def scalar(text: str) -> str:
    """Return text as YAML that every reader takes for the same text.

    >>> scalar("pi1"), scalar("no"), scalar("0o7"), scalar("192.0.2.11"), scalar("2001:db8::1")
    ('pi1', '"no"', '"0o7"', '192.0.2.11', '"2001:db8::1"')
    """
    plain = re.fullmatch(r"[a-z~/][A-Za-z0-9._/-]*", text) and text not in _WORDS | {"~"}
    return text if plain or _is_ipv4(text) else json.dumps(text, ensure_ascii=False)


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4  # noqa: PLR2004 — IP's versions
    except ValueError:
        return False


def with_host_keys(text: str, changed: Mapping[str, str]) -> str:
    """Return the text of a stack file with other host keys, everything else as it was.

    Args:
        text: Of the file.
        changed: Old key → new key, each `<type> <base64>`.

    Raises:
        InitError: If a key is not there exactly once.
    """
    for old, new in changed.items():
        # Between type and base64 the file may have any blanks; the base64 part names the key.
        pattern = re.compile(rf"{re.escape(old.split()[0])}\s+{re.escape(old.split()[1])}(?![A-Za-z0-9+/=])")
        if len(pattern.findall(text)) != 1:
            raise InitError(
                f"the host key {old} does not stand exactly once in the stack file: it cannot be replaced.\n"
                f"    Write this one in its place by hand, and run this again: {new}"
            )
        text = pattern.sub(new, text)
    return text
