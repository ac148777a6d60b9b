"""Runs prepare.sh on a fake host and reads what it says."""

import json
import subprocess

from infra.hosts.check_list import PREPARE
from tests.infra.fake_host import FakeHost


def prepare(host: FakeHost, action: str = "apply", **variables: str) -> subprocess.CompletedProcess[bytes]:
    return host.run(PREPARE, action, ARCH="arm64", **variables)


def said(result: subprocess.CompletedProcess[bytes]) -> dict[str, object]:
    """Return the answer of a host, without the time at which it was checked."""
    assert result.returncode == 0, result.stderr.decode()
    answer: dict[str, object] = json.loads(result.stdout)
    assert isinstance(answer.pop("checked"), int)
    return answer


def refusals(result: subprocess.CompletedProcess[bytes]) -> list[str]:
    assert result.returncode == 1
    assert result.stdout == b""
    lines = result.stderr.decode().splitlines()
    assert all(line.startswith("piray: pi2: ") and line.count("; ") >= 2 for line in lines), lines
    return lines


def command_line(host: FakeHost) -> bytes:
    assert host.command_line is not None
    return host.command_line.read_bytes()
