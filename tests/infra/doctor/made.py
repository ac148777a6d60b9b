"""Hosts, visits and stacks made up for the tests of the doctor."""

from typing import Any

from infra.config.model import HostConfig
from infra.config.parse import parse
from infra.doctor.finding import Finding
from infra.doctor.stack import Stack
from infra.doctor.visit import Visit

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1BNAnKq+6bI8LNyVt8cB30GzloUqXSXl1nKUDlHZ+i"
NOW = 1_800_000_000.0


def host(number: int, role: str = "agent") -> HostConfig:
    return HostConfig.model_validate(
        {"name": f"pi{number}", "address": f"198.51.100.{number}", "role": role, "hostKey": HOST_KEY}
    )


def visit(number: int, *findings: Finding, role: str = "agent", ahead: float = 0.0, **facts: Any) -> Visit:
    """Make a visit of two seconds, of which the checks took one; the host's clock is `ahead` seconds."""
    known = {
        "hostname": f"pi{number}",
        "machineId": f"id-{number}",
        "dbusMachineId": None,
        "bootId": f"boot-{number}",
        "memoryMib": 3794,
        "cores": 4,
        "clockBegin": NOW + 0.5 + ahead,
        "clockEnd": NOW + 1.5 + ahead,
    }
    return Visit(
        host=host(number, role), facts={**known, **facts}, findings=findings, began=NOW, ended=NOW + 2.0
    )


def not_seen(number: int, *findings: Finding) -> Visit:
    return Visit(host=host(number), findings=findings)


def stack(*roles: str, **values: Any) -> Stack:
    hosts = [
        host(number, role).model_dump(by_alias=True, exclude_none=True)
        for number, role in enumerate(roles, 1)
    ]
    given = {"platform": "pi", "ssh": {"user": "ada"}, "hosts": hosts, **values}
    return Stack(name="home", config=parse(given), values=given, secret_keys=frozenset())
