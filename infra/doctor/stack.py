"""The configuration of a stack, read from its file; by the Pulumi CLI only where something is encrypted."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.config.model import StackConfig
from infra.config.parse import parse
from infra.config.problems import ConfigError
from infra.config.stack_file import StackFileError, check_stack_file, read_stack_file
from infra.names import PROJECT
from infra.pulumi_cli import PROJECT_DIR, environment, find_pulumi, known_stacks

_CLI_TIMEOUT_S = 60


class DoctorError(Exception):
    """The doctor cannot look at the stack; the text is for the user."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack's configuration.

    Attributes:
        name: Name of the stack.
        config: Typed, every default filled in.
        values: The keys it was made from, without their prefix.
        secret_keys: Those of them that are encrypted, or hold something encrypted.
    """

    name: str
    config: StackConfig
    values: Mapping[str, Any]
    secret_keys: frozenset[str]

    def parse(self, values: Mapping[str, Any]) -> StackConfig:
        """Parse other values as those of the stack.

        Raises:
            ConfigError: With every problem there is.
        """
        return parse(values, secret_keys=self.secret_keys)


def read_stack(name: str, project: Path = PROJECT_DIR) -> Stack:
    """Read the configuration of a stack.

    Args:
        name: Name of the stack, as Pulumi takes it.
        project: Folder of the stack files.

    Raises:
        DoctorError: If there is no such stack, or its configuration cannot be used.
    """
    short = name.rpartition("/")[2]
    if not re.fullmatch(r"\w[\w.-]*", short, re.ASCII):
        raise DoctorError(f"{name!r} is not the name of a stack: use letters, digits, '-', '_' and '.'")
    file = project / f"Pulumi.{short}.yaml"
    if not file.exists():
        raise DoctorError(
            f"there is no stack file {file.name}; give one of: {', '.join(known_stacks())}, "
            f"or make it: piray init {short}"
        )
    try:
        check_stack_file(file)
        contents = read_stack_file(file)
        config = contents.get("config") or {}
        if "environment" in contents or _is_encrypted(config):
            values, secret_keys = _ask_pulumi(name, file)
        else:
            values, secret_keys = _own(config), frozenset()
        parsed = parse(values, secret_keys=secret_keys)
    except (StackFileError, ConfigError) as error:
        raise DoctorError(str(error)) from None
    return Stack(name=name, config=parsed, values=values, secret_keys=secret_keys)


def _own(config: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the project's own keys without their prefix, which Pulumi does not ask for."""
    keys = {str(key).removeprefix(f"{PROJECT}:"): value for key, value in config.items()}
    return {key: value for key, value in keys.items() if ":" not in key}


def _is_encrypted(value: object) -> bool:
    if isinstance(value, dict):
        secure = list(value) == ["secure"] and isinstance(value["secure"], str)
        return secure or any(map(_is_encrypted, value.values()))
    return isinstance(value, list) and any(map(_is_encrypted, value))


def _ask_pulumi(name: str, file: Path) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the values and which of them are secret."""
    # Nothing is installed by a command that only reads.
    if not shutil.which("pulumi") and not (Path.home() / ".pulumi" / "versions").is_dir():
        raise DoctorError(
            f"{file.name} holds encrypted values, which only the Pulumi CLI can read, and it is not "
            "installed: install it (https://www.pulumi.com/docs/install/; `make up` does so, too), then run "
            "this again"
        )
    pulumi = find_pulumi()
    command = [str(pulumi), "config", "--json", "--show-secrets", "--stack", name]
    try:
        done = subprocess.run(
            command,
            cwd=file.parent,
            env=environment(pulumi, os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CLI_TIMEOUT_S,
            check=False,
        )
        said = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        said = None
        done = None
    if not isinstance(said, dict):
        reason = " ".join(done.stderr.split()) if done else ""
        raise DoctorError(f"pulumi cannot read the encrypted values of {file.name}: {reason or 'no answer'}")
    values = {key: entry.get("objectValue", entry.get("value")) for key, entry in said.items()}
    secret = {key for key, entry in said.items() if entry.get("secret")}
    return _own(values), frozenset(_own(dict.fromkeys(secret)))
