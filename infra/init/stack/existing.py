"""What cards need of a stack file that exists."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.config.model import HostConfig
from infra.config.parse import parse
from infra.config.problems import ConfigError
from infra.config.stack_file import StackFileError, check_stack_file, read_stack_file
from infra.init.dialogue.values import InitError
from infra.names import PROJECT

# They bind a stack to the secrets that Pulumi has encrypted for it.
SECRETS_KEYS = ("secretsprovider", "encryptedkey", "encryptionsalt")
# The rest may be encrypted, and cards do not need it.
_WANTED = ("platform", "hosts", "insecureHostKeys")
_WANTED_OF_HOST = ("name", "address", "role", "hostKey", "user")


@dataclass(frozen=True)
class ExistingStack:
    """A stack file's hosts and login.

    Attributes:
        text: Of the file.
        hosts: The Pis.
        user: Who logs in; None where every host has a user of its own.
        key_file: File of the private key; None where the file names none.
    """

    text: str
    hosts: tuple[HostConfig, ...]
    user: str | None
    key_file: str | None

    def user_on(self, host: HostConfig) -> str:
        """Return who logs in on a host."""
        user = host.user or self.user
        assert user is not None, "the rules of infra/config/rules.py let no such stack pass"
        return user


def read_existing(path: Path) -> ExistingStack:
    """Read a stack file.

    Raises:
        InitError: If it cannot be used for cards; with all its problems.
    """
    try:
        check_stack_file(path)
        config = read_stack_file(path).get("config") or {}
        stack = parse(_wanted(config))
    except (StackFileError, ConfigError) as error:
        raise InitError(str(error)) from None
    if stack.platform != "pi":
        raise InitError(
            f"{path.name} is for platform {stack.platform}, which has no Pis.\n"
            "    Name a stack of Pis, or a new one."
        )
    return ExistingStack(
        path.read_text(encoding="utf-8"), stack.hosts, stack.ssh.user, _ssh(config).get("privateKeyFile")
    )


def _wanted(config: Mapping[str, Any]) -> dict[str, Any]:
    values = {str(key).removeprefix(f"{PROJECT}:"): value for key, value in config.items()}
    wanted = {key: value for key, value in values.items() if key in _WANTED}
    wanted["hosts"] = [
        {key: host[key] for key in _WANTED_OF_HOST if key in host} for host in values.get("hosts") or []
    ]
    return wanted | {"ssh": {key: value for key, value in _ssh(config).items() if key == "user"}}


def _ssh(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get(f"{PROJECT}:ssh") or config.get("ssh") or {}


def secrets_keys(path: Path) -> dict[str, str]:
    """Return the keys of a stack file that bind it to its secrets; empty if it is no YAML or has none."""
    try:
        contents = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    if not isinstance(contents, dict):
        return {}
    return {key: str(contents[key]) for key in SECRETS_KEYS if key in contents}
