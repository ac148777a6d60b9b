"""One command on one host through OpenSSH's client, dialled and reported as pulumi-command does."""

import json
import os
import re
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.engine.provider import Context, ProviderError

# https://github.com/pulumi/pulumi/blob/master/sdk/go/common/util/retry/until.go
_FIRST_DELAY_S, _DELAY_FACTOR, _LONGEST_DELAY_S = 0.1, 1.5, 5.0
_DIAL_ERRORS, _DIAL_TIMEOUT_S = 10, 15

# ssh writes it between the handshake and the command.
_AUTHENTICATED = "Authenticated to "

# The exit code of ssh's own failures; it may be the command's, too.
_SSH_FAILED = 255

# What ssh says of a connection that broke under the command.
_BROKEN = ("closed by remote host", "Connection reset", "not responding", "Broken pipe")

# What ssh says, and Go's SSH client in its place; {0} is the address.
_MESSAGES = {
    "Connection refused": "dial tcp {0}: connect: connection refused",
    "No route to host": "dial tcp {0}: connect: no route to host",
    "Network is unreachable": "dial tcp {0}: connect: network is unreachable",
    "timed out": "dial tcp {0}: i/o timeout",
    "Host key verification failed": "ssh: handshake failed: ssh: host key mismatch",
    "Unable to negotiate": "ssh: handshake failed: ssh: no common algorithm for host key",
    "Too many authentication failures": "ssh: handshake failed: ssh: disconnect, reason 2: "
    "Too many authentication failures",
    "Permission denied": "ssh: handshake failed: ssh: unable to authenticate, "
    "attempted methods [none publickey], no supported methods remain",
}


def run_over_ssh(
    command: str, inputs: Mapping[str, Any], context: Context
) -> "tuple[subprocess.CompletedProcess[str], str]":
    """Dial until the host answers or has refused too often, then run the command once.

    Returns:
        How the command ended, and all that it printed.

    Raises:
        ProviderError: If there is no connection, or it broke.
    """
    connection = inputs["connection"]
    if unknown := {"password", "privateKeyPassword"} & connection.keys() or inputs.get("environment"):
        raise ProviderError(f"the test engine cannot do {unknown} of a remote Command")
    _require_agent()
    with tempfile.TemporaryDirectory(prefix="piray-engine-") as folder:
        log = Path(folder) / "log"
        way = _way(connection, Path(folder))
        options = [*_options(connection, Path(folder)), *way, "-E", str(log), "--", str(connection["host"])]
        done = _dial([*options, command], log, inputs, context)
        said = log.read_text(errors="replace") + done.stderr
    if done.returncode == _SSH_FAILED and any(part in said for part in _BROKEN):
        raise ProviderError(
            "wait: remote command exited without exit status or exit signal: "
            f"running {json.dumps(command)}:\n{done.stdout}{done.stderr}"
        )
    return done, done.stdout + done.stderr


def _dial(
    arguments: list[str], log: Path, inputs: Mapping[str, Any], context: Context
) -> "subprocess.CompletedProcess[str]":
    """Call ssh until it has run the command, at most as often as the connection allows."""
    connection = inputs["connection"]
    limit = int(connection.get("dialErrorLimit", _DIAL_ERRORS))
    delay_s = _FIRST_DELAY_S
    failures = 0
    while True:
        log.write_text("")
        done = _attempt(arguments, inputs, context)
        said = log.read_text(errors="replace")
        if _AUTHENTICATED in said:
            return done
        if failures == limit or context.cancelled.is_set():
            raise ProviderError(f"{_blame(connection, log, failures)}")
        failures += 1
        context.cancelled.wait(delay_s)
        delay_s = min(delay_s * _DELAY_FACTOR, _LONGEST_DELAY_S)


def _attempt(
    arguments: list[str], inputs: Mapping[str, Any], context: Context
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["ssh", *arguments],
            input=inputs.get("stdin") or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=context.timeout_s,
            check=False,
            # An interrupt of the terminal is for the engine, which lets the command end.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise ProviderError(f"context deadline exceeded after {context.timeout_s:.0f} s") from None


def _require_agent() -> None:
    """Fail where SSH_AUTH_SOCK is set and nobody answers, as the provider does even with a key of its own."""
    path = os.environ.get("SSH_AUTH_SOCK")
    if not path:
        return
    with socket.socket(socket.AF_UNIX) as agent:
        try:
            agent.connect(path)
        except OSError as error:
            raise ProviderError(f"dial unix {path}: connect: {(error.strerror or '').lower()}") from None


def _way(connection: Mapping[str, Any], folder: Path) -> list[str]:
    """Return ssh's options for the jump host of a connection, if there is one."""
    proxy = connection.get("proxy")
    if not proxy:
        return []
    own = folder / "proxy"
    own.mkdir()
    options = [*_options(proxy, own), "-E", str(own / "log"), "-W", "[%h]:%p", "--", str(proxy["host"])]
    return ["-o", f"ProxyCommand={shlex.join(['ssh', *options])}"]


def _blame(connection: Mapping[str, Any], log: Path, failures: int) -> str:
    """Return what the provider says after its last attempt: of the jump host, or of the host behind it."""
    on_the_way = log.parent / "proxy" / "log"
    said = on_the_way.read_text(errors="replace") if on_the_way.exists() else ""
    proxied = bool(said) and _AUTHENTICATED not in said
    end = connection["proxy"] if proxied else connection
    if rejected := re.search("open failed: connect failed: (.*)", said):
        reason = f"ssh: rejected: connect failed ({rejected[1].strip()})"
    else:
        reason = _as_go_says(said if proxied else log.read_text(errors="replace"), _address(end))
    where = "proxy: " if connection.get("proxy") else ""
    return f"{where}after {failures} failed attempts: {reason}"


def _address(end: Mapping[str, Any]) -> str:
    return f"{end['host']}:{int(end.get('port', 22))}"


def _options(connection: Mapping[str, Any], folder: Path) -> list[str]:
    """Return ssh's options for a connection; nothing of the user's own configuration plays a part."""
    settings = {
        "BatchMode": "yes",
        "LogLevel": "VERBOSE",
        "ConnectTimeout": str(int(connection.get("perDialTimeout", _DIAL_TIMEOUT_S))),
        "PreferredAuthentications": "publickey",
        "GlobalKnownHostsFile": "/dev/null",
        # Go's client notices a dead host by TCP's keep-alive.
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "9",
    }
    if host_key := connection.get("hostKey"):
        (folder / "known_hosts").write_text(f"pinned {host_key}\n")
        settings |= {
            "UserKnownHostsFile": str(folder / "known_hosts"),
            "HostKeyAlias": "pinned",
            "StrictHostKeyChecking": "yes",
            "HostKeyAlgorithms": host_key.split()[0],
        }
    else:
        settings |= {"UserKnownHostsFile": "/dev/null", "StrictHostKeyChecking": "no"}
    if private_key := connection.get("privateKey"):
        path = folder / "key"
        path.touch(mode=0o600)
        path.write_text(private_key.rstrip("\n") + "\n")
        settings |= {"IdentityFile": str(path), "IdentitiesOnly": "yes"}
    else:
        # The keys of an agent, and none of the user's files.
        settings["IdentityFile"] = "none"
    user, port = connection.get("user", "root"), int(connection.get("port", 22))
    flags = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
    return ["-F", "/dev/null", "-T", "-l", str(user), "-p", str(port), *flags]


def _as_go_says(log: str, address: str) -> str:
    for part, message in _MESSAGES.items():
        if part in log:
            return message.format(address)
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return f"ssh: handshake failed: {lines[-1] if lines else 'EOF'}"
