"""How the doctor logs in: the system's `ssh` with the keys of the stack.

Nothing of the user's own SSH configuration is used: `up` does not use it either.
"""

import shlex
from pathlib import Path

from infra.config.model import HostConfig, SshConfig

_CONNECT_S = 15
_JUMP_HOST = "jump-host"
_PRIVATE = 0o600


def ssh_command(host: HostConfig, ssh: SshConfig, folder: Path) -> list[str]:
    """Return the command that logs in on a host, without what to run there.

    Args:
        host: The host.
        ssh: How to log in.
        folder: A private folder, in which the key and the host keys are put.
    """
    command = ["ssh", *_options(host.name, host.host_key, ssh, folder)]
    if ssh.proxy is not None:
        user = ssh.proxy.user or ssh.user
        options = _options(_JUMP_HOST, ssh.proxy.host_key, ssh, folder)
        # Of its own: on the standard error nobody could tell which of the two connections has ended.
        through = ["ssh", "-E", str(jump_host_log(host, folder)), *options, "-p", str(ssh.proxy.port)]
        # Percent signs of a path would be taken for ssh's own.
        words = shlex.join([*through, f"{user}@{ssh.proxy.address}"]).replace("%", "%%")
        command += ["-o", f"ProxyCommand={words} -W '[%h]:%p'"]
    return [*command, "-p", str(ssh.port_on(host)), f"{ssh.user_on(host)}@{host.address}"]


def jump_host_log(host: HostConfig, folder: Path) -> Path:
    """Return the file in which the ssh to the jump host notes what ends it, on the way to a host."""
    return folder / f"jump-host.{host.name}"


def _options(name: str, host_key: str | None, ssh: SshConfig, folder: Path) -> list[str]:
    settings = {
        "BatchMode": "yes",
        "ConnectTimeout": str(_CONNECT_S),
        "ServerAliveInterval": "10",
        # The jump host's ssh says that the host behind does not answer as information only.
        "LogLevel": "INFO" if name == _JUMP_HOST else "ERROR",
        "PreferredAuthentications": "publickey",
        "ControlPath": "none",
        "UpdateHostKeys": "no",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": name,
        "CheckHostIP": "no",
        **_host_key(name, host_key, folder),
        **_identity(ssh, folder),
    }
    return ["-T", "-F", "/dev/null", *(word for item in settings.items() for word in ("-o", "=".join(item)))]


def _host_key(name: str, host_key: str | None, folder: Path) -> dict[str, str]:
    if host_key is None:
        return {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null"}
    kind, key = host_key.split()[:2]
    known = folder / f"known_hosts.{name}"
    known.write_text(f"{name} {kind} {key}\n")
    return {
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": _quoted(known),
        "HostKeyAlgorithms": kind,
    }


def _identity(ssh: SshConfig, folder: Path) -> dict[str, str]:
    if ssh.private_key is None:
        # The agent alone, as for `up`: a key file of the user's that happens to fit would hide that.
        return {"IdentityFile": "none"}
    file = folder / "identity"
    if not file.exists():
        file.touch(mode=_PRIVATE)
        file.write_text(ssh.private_key.reveal())
    return {"IdentityFile": _quoted(file), "IdentitiesOnly": "yes", "IdentityAgent": "none"}


def _quoted(path: Path) -> str:
    return f'"{str(path).replace("%", "%%")}"'
