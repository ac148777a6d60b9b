"""Checks a stack file before Pulumi sees it, because Pulumi stops at the first value of a wrong type.

What only Pulumi can read (encrypted values, environments) is left to the program's own check.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.config.parse import check
from infra.config.problems import ConfigError
from infra.config.reader import ENCRYPTED
from infra.names import PROJECT


class StackFileError(Exception):
    """The stack file cannot be used; the text says everything that is wrong with it."""


def check_stack_file(path: Path) -> None:
    """Check the configuration in a stack file.

    Raises:
        StackFileError: If it is no YAML, or with every problem of the configuration.
    """
    values = _read(path)
    if values is None:
        return
    try:
        check(values)
    except ConfigError as error:
        raise StackFileError(f"{path.name}: {error}") from None


def check_cores(path: Path, outputs: Mapping[str, Any]) -> None:
    """Check a stack file that is good by itself with the cores that its hosts had at the last `up`.

    Only the cores: memory as the kernel counts it is less than what is printed on a Pi, which the rule is
    made for.

    Args:
        path: The stack file; what it says of a host's cores counts.
        outputs: The stack's outputs; `hosts` has what was found on each host.

    Raises:
        StackFileError: If there is no room for the head or the workers.
    """
    values, facts = _read(path), outputs.get("hosts")
    if values is None or not isinstance(values.get("hosts"), list) or not isinstance(facts, dict):
        return
    hosts = [_with_cores(host, facts) for host in values["hosts"]]
    try:
        check({**values, "hosts": hosts})
    except ConfigError as error:
        raise StackFileError(
            f"{path.name}: {error}\nThe hosts had these cores at the last `make up`. If one is another Pi "
            "now, give its cpus in piray:hosts."
        ) from None


def host_addresses(path: Path) -> list[str]:
    """Return the addresses of a stack file's hosts, as far as they can be read without Pulumi.

    Raises:
        StackFileError: If it is no YAML.
    """
    hosts = (_read(path) or {}).get("hosts")
    found = (
        [host.get("address") for host in hosts if isinstance(host, dict)] if isinstance(hosts, list) else []
    )
    return [address for address in found if isinstance(address, str)]


def _with_cores(host: object, facts: Mapping[str, Any]) -> object:
    if not isinstance(host, dict):
        return host
    found = facts.get(str(host.get("name")))
    cores = found.get("cores") if isinstance(found, dict) else None
    return {"cpus": cores, **host} if isinstance(cores, int) else host


def _read(path: Path) -> dict[str, Any] | None:
    """Return the values of a stack file by un-namespaced key; None where an environment adds to them."""
    try:
        contents = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or "not readable"
        raise StackFileError(
            f"{path.name}{line}: this is not YAML ({what}); indent with spaces only"
        ) from None
    if not isinstance(contents, dict) or not isinstance(contents.get("config") or {}, dict):
        raise StackFileError(
            f"{path.name}: it must hold `config:` with one `piray:KEY: value` per line below it"
        )
    if "environment" in contents:
        return None
    config: Mapping[str, Any] = {str(key): value for key, value in (contents.get("config") or {}).items()}
    _check_prefixes(path.name, config)
    # Pulumi takes a key without a prefix for one of the project's.
    return {
        key.removeprefix(f"{PROJECT}:"): _without_ciphertext(value)
        for key, value in config.items()
        if _prefix(key) in {PROJECT, ""}
    }


def _check_prefixes(file: str, config: Mapping[str, Any]) -> None:
    """Refuse a prefix that is a slip: Pulumi takes it for another program's, and nobody would read it."""
    slips = [key for key in config if _prefix(key) != PROJECT and _is_like_ours(_prefix(key))]
    if slips:
        listed = ", ".join(f"{key} (write {PROJECT}:{key.partition(':')[2]})" for key in slips)
        raise StackFileError(f"{file}: the prefix of a key must be {PROJECT}: {listed}")


def _is_like_ours(prefix: str) -> bool:
    return bool(difflib.get_close_matches(prefix.lower(), [PROJECT], cutoff=0.7))


def _prefix(key: str) -> str:
    return key.rpartition(":")[0]


def _without_ciphertext(value: object) -> object:
    """Return the value with ENCRYPTED in place of what is encrypted: a mapping with `secure` alone."""
    if isinstance(value, dict):
        if list(value) == ["secure"] and isinstance(value["secure"], str):
            return ENCRYPTED
        return {key: _without_ciphertext(item) for key, item in value.items()}
    return [_without_ciphertext(item) for item in value] if isinstance(value, list) else value
