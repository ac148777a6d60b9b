"""Makes simulated Pis for one test file, and runs the program's own scripts on them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.hosts import check_list
from infra.remote.stdin import render_stdin
from sandbox.machine.docker import Docker
from sandbox.pi.host import PLAIN, Hardware, Host
from sandbox.release import architecture

# Above the addresses of a sandbox that somebody has up meanwhile.
_FIRST = 101

PREPARE = check_list.PREPARE
VERIFY = ("hosts/verify.sh",)
# Whatever this machine is: the hosts are of its kind.
ARCH = architecture()
NOBODY = {"TAKEN_HOSTNAME": "", "HOSTNAME_OWNER": "", "TAKEN_MACHINE_ID": "", "MACHINE_OWNER": ""}


class Making:
    """Hosts made so far.

    Args:
        docker: Daemon that runs them.
        key_file: Private key of user pi.
    """

    def __init__(self, docker: Docker, key_file: Path) -> None:
        self._docker = docker
        self._key_file = key_file
        self._hosts: list[Host] = []

    def host(self, hardware: Hardware = PLAIN) -> Host:
        """Make a host and switch it on; it may not be up yet."""
        host = Host(f"pi{_FIRST + len(self._hosts)}", self._docker, self._key_file)
        self._hosts.append(host)
        host.start(hardware)
        return host

    def remove_all(self) -> None:
        """Remove every host."""
        for host in self._hosts:
            host.remove()


def script(host: Host, files: Sequence[str], action: str, **variables: str) -> str:
    """Run scripts of the program as it does, and return what they say on standard output.

    Raises:
        SandboxError: If they end with an error.
    """
    return host.ssh(f"bash -s -- {action}", stdin=render_stdin(files, {"HOST": host.name, **variables}))


def refusal(host: Host, files: Sequence[str], **variables: str) -> str:
    """Return the one line with which the scripts refuse."""
    stdin = render_stdin(files, {"HOST": host.name, **variables})
    said = host.ssh("bash -s -- apply && echo accepted", stdin=stdin, check=False)
    (line,) = said.strip().splitlines()
    assert line.startswith(f"piray: {host.name}: "), line
    return line


def prepare(host: Host) -> dict[str, Any]:
    """Run prepare.sh and return its answer."""
    answer: dict[str, Any] = json.loads(script(host, PREPARE, "apply", ARCH=ARCH))
    return answer


def undo(host: Host) -> None:
    """Run prepare.sh's undo."""
    script(host, PREPARE, "undo", ARCH=ARCH)


def verify(host: Host, rebooted_from: str) -> dict[str, Any]:
    """Run verify.sh and return its answer."""
    answer: dict[str, Any] = json.loads(script(host, VERIFY, "apply", REBOOTED_FROM=rebooted_from, **NOBODY))
    return answer
