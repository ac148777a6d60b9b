"""Checks a stack file before Pulumi sees it, because Pulumi stops at the first value of a wrong type.

What only Pulumi can read (encrypted values, environments) is left to the program's own check.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.config.parse import check
from infra.config.problems import ConfigError
from infra.config.reader import ENCRYPTED
from infra.config.yaml_text import YamlError, read_yaml
from infra.names import PROJECT


class StackFileError(Exception):
    """The stack file cannot be used; the text says everything that is wrong with it."""


def check_stack_file(path: Path) -> None:
    """Check the configuration in a stack file.

    Raises:
        StackFileError: If it is no YAML, or with every problem of the configuration.
    """
    contents = read_stack_file(path)
    if "environment" not in contents and not contents.get("config"):
        raise StackFileError(f"{path.name}: {_no_config(contents)}")
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


def read_stack_file(path: Path) -> dict[str, Any]:
    """Return what a stack file says, in the shape that Pulumi asks for; empty if it says nothing.

    Raises:
        StackFileError: If it is no YAML, or of another shape.
    """
    try:
        contents = read_yaml(path.read_text(encoding="utf-8")) or {}
    except YamlError as error:
        said = str(error).replace("\n", "\n  ")
        raise StackFileError(f"{path.name}: {said}") from None
    except UnicodeDecodeError:
        raise StackFileError(f"{path.name}: this is no text in UTF-8; save it in that encoding") from None
    except OSError as error:
        raise StackFileError(f"{path.name} cannot be read ({error.strerror})") from None
    if not isinstance(contents, dict) or not isinstance(contents.get("config") or {}, dict):
        raise StackFileError(
            f"{path.name}: it must hold `config:` with one `piray:KEY: value` per line below it"
        )
    return contents


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
    contents = read_stack_file(path)
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


def _no_config(contents: Mapping[str, Any]) -> str:
    said = "`config:` is empty" if "config" in contents else "`config:` is missing"
    by_name = {str(key).lower(): str(key) for key in contents}
    near = difflib.get_close_matches("config", by_name, n=1, cutoff=0.7)
    if near and "config" not in contents:
        return f"{said}; write it in the place of `{by_name[near[0]]}:`"
    ours = [str(key) for key in contents if _prefix(str(key)) == PROJECT or _is_like_ours(_prefix(str(key)))]
    if ours:
        return (
            f"{said}, and {', '.join(ours)} must stand below it; write a line `config:` above them, and "
            "indent each of them by two blanks"
        )
    return (
        f"{said}; it holds all that a stack says, one `piray:KEY: value` per line below it, as in "
        "Pulumi.dev.yaml (`piray init NAME` writes such a file)"
    )


def _check_prefixes(file: str, config: Mapping[str, Any]) -> None:
    """Refuse a prefix that is a slip: Pulumi takes it for another program's, and nobody would read it."""
    slips = [key for key in config if _prefix(key) != PROJECT and _is_like_ours(_prefix(key))]
    if slips:
        listed = ", ".join(f"{key} (write {PROJECT}:{key.partition(':')[2]})" for key in slips)
        raise StackFileError(f"{file}: the prefix of a key must be {PROJECT}: {listed}")
    twice = [key for key in config if not _prefix(key) and f"{PROJECT}:{key}" in config]
    if twice:
        listed = ", ".join(f"{key} is {PROJECT}:{key}" for key in twice)
        raise StackFileError(
            f"{file}: {listed}: a key without {PROJECT}: is the same one, so it is there twice; "
            "delete one of them"
        )


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
