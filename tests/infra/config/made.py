"""Configurations for the tests, good ones and such with one thing changed."""

from typing import Any

import pytest

from infra.config.parse import parse
from infra.config.problems import ConfigError, Problem

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1BNAnKq+6bI8LNyVt8cB30GzloUqXSXl1nKUDlHZ+i"


def host(number: int, role: str = "agent", **changes: Any) -> dict[str, Any]:
    """One good host; a change to None takes the key out."""
    entry = {
        "name": f"pi{number}",
        "address": f"198.51.100.{number}",
        "role": role,
        "hostKey": ED25519,
        **changes,
    }
    return {key: value for key, value in entry.items() if value is not None}


def stack(**changes: Any) -> dict[str, Any]:
    """A good configuration of one server and two agents, with some keys changed; who logs in is kept."""
    if isinstance(changes.get("ssh"), dict):
        changes["ssh"] = {"user": "pi", **changes["ssh"]}
    good = {"platform": "pi", "hosts": [host(1, "server"), host(2), host(3)], "ssh": {"user": "pi"}}
    return {**good, **changes}


def problems_of(values: dict[str, Any], **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(values, **options)
    return caught.value.problems


def hosts(*entries: dict[str, Any]) -> dict[str, Any]:
    return stack(hosts=list(entries))


def with_memory(server_mib: int | str | None, *agents_mib: int | None, **changes: Any) -> dict[str, Any]:
    entries = [host(1, "server", memoryMib=server_mib)]
    entries += [host(2 + index, memoryMib=mib) for index, mib in enumerate(agents_mib)]
    return stack(hosts=entries, **changes)


def with_cpus(server: int | None, *agents: int | None, **changes: Any) -> dict[str, Any]:
    entries = [host(1, "server", cpus=server)]
    entries += [host(2 + index, cpus=cpus) for index, cpus in enumerate(agents)]
    return stack(hosts=entries, **changes)
