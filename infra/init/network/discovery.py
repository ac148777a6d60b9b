"""Finds Pis on the network by mDNS: through the system's Avahi, and by names that end in .local."""

import re
import socket
import subprocess
from dataclasses import dataclass

from infra.init.dialogue.values import InitError

# Raspberry Pi OS announces none of them by itself: a Pi is found here if some program of its announces one.
SERVICES = ("_ssh._tcp", "_sftp-ssh._tcp", "_workstation._tcp", "_udisks-ssh._tcp")
BROWSE_TIMEOUT_S = 15


@dataclass(frozen=True, order=True)
class Found:
    """A machine that announces itself.

    Attributes:
        name: Its hostname, without .local.
        address: An IPv4 address: a stack has no others.
    """

    name: str
    address: str


def discover() -> list[Found]:
    """Return the machines that announce a login service on this network, sorted by name.

    Raises:
        InitError: If this machine cannot look.
    """
    found: dict[str, str] = {}
    for service in SERVICES:
        for machine in _parse(_browse(service)):
            found.setdefault(machine.name, machine.address)
    return sorted(Found(name, address) for name, address in found.items())


def _browse(service: str) -> str:
    command = ["avahi-browse", "--parsable", "--resolve", "--terminate", service]
    remedy = (
        "    Install it (sudo apt-get install avahi-utils) and see that avahi-daemon runs, or name the Pis\n"
        "    by --host NAME=ADDRESS; your router lists the addresses."
    )
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=BROWSE_TIMEOUT_S
        )
    except FileNotFoundError:
        raise InitError(f"--discover needs avahi-browse, which is missing.\n{remedy}") from None
    except subprocess.TimeoutExpired as late:
        # Some names do not resolve; the others have been told.
        return (late.stdout or b"").decode(errors="replace")
    if answer.returncode:
        reason = answer.stderr.decode(errors="replace").strip() or f"exit status {answer.returncode}"
        raise InitError(f"--discover: avahi-browse failed ({reason}).\n{remedy}")
    return answer.stdout.decode(errors="replace")


def _parse(answer: str) -> list[Found]:
    """Parse lines such as `=;eth0;IPv4;pi1;_ssh._tcp;local;pi1.local;192.0.2.11;22;` ."""
    found = []
    for line in answer.splitlines():
        fields = line.split(";")
        if fields[0] != "=" or len(fields) < 9:  # noqa: PLR2004 — up to the port
            continue
        protocol, host, address = fields[2], fields[6], fields[7]
        # An address of 169.254.0.0/16 is one that a machine gives itself where nobody gives it any.
        if (
            protocol == "IPv4"
            and re.fullmatch(r"[\w.-]+\.local", host)
            and not address.startswith("169.254.")
        ):
            found.append(Found(host.removesuffix(".local").lower(), address))
    return found


def lookup(name: str) -> str | None:
    """Return the IPv4 address that NAME.local has on this network; None if it has none."""
    try:
        answers = socket.getaddrinfo(f"{name}.local", 22, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    addresses = [str(answer[4][0]) for answer in answers]
    return next((one for one in addresses if not one.startswith(("169.254.", "127."))), None)
