"""The SSH agent of whoever runs Pulumi: whether it answers, and whether a login with its keys can succeed.

Pulumi's SSH client asks the agent at SSH_AUTH_SOCK whether or not it has a key of its own, and stops where
nobody answers. https://github.com/pulumi/pulumi-command/blob/v1.2.1/provider/pkg/provider/remote/connection.go
"""

import base64
import hashlib
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VARIABLE = "SSH_AUTH_SOCK"

# OpenSSH ends a login after that many keys that it does not know. https://man.openbsd.org/sshd_config#MaxAuthTries
MAX_AUTH_TRIES = 6

# https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/: a length, then the number of a message.
_REQUEST_IDENTITIES = b"\0\0\0\1\x0b"
_IDENTITIES_ANSWER = 12
_TIMEOUT_S = 5
_LENGTH = struct.Struct(">I")
_MAX_ANSWER_BYTES = 256 * 1024

_REMEDY = (
    "load your key (`ssh-add FILE`), or name its file in the stack file: piray:ssh.privateKeyFile "
    "(docs/stack-file.md)"
)


class AgentError(Exception):
    """Nobody usable answers at the agent's socket; the text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be said of the agent before the first login.

    Attributes:
        problem: Why no login can succeed; None if one may.
        warning: Why some may not; None if there is no reason.
    """

    problem: str | None = None
    warning: str | None = None


def judge(env: Mapping[str, str], *, private_key: bool) -> Verdict:
    """Say what is wrong with the agent, if anything.

    Args:
        env: The environment in which Pulumi runs.
        private_key: Whether the stack has a key of its own, so that the agent need have none.
    """
    path = env.get(VARIABLE)
    if private_key:
        return Verdict(problem=_in_the_way(path) if path else None)
    if not path:
        return Verdict(problem=f"there is no SSH agent ({VARIABLE} is not set) and no private key; {_REMEDY}")
    try:
        keys = read_keys(path)
    except AgentError as error:
        dead = f"no SSH agent answers at {VARIABLE}={path} ({error}) and there is no private key"
        return Verdict(problem=f"{dead}; start an agent (`eval $(ssh-agent)`) and {_REMEDY}")
    except TimeoutError:
        # It may be asking its user.
        return Verdict()
    if not keys:
        return Verdict(problem=f"the SSH agent has no keys and there is no private key; {_REMEDY}")
    return Verdict(warning=_too_many(keys))


def _in_the_way(path: str) -> str | None:
    if answers(path):
        return None
    return (
        f"no SSH agent answers at {VARIABLE}={path}, and Pulumi's SSH client stops there though the stack "
        f"has a private key; run: unset {VARIABLE}; then run this again"
    )


def answers(path: str) -> bool:
    """Say whether somebody listens at an agent's socket."""
    try:
        with _connect(path):
            return True
    except AgentError:
        return False


def read_keys(path: str) -> list[str]:
    """Return the keys of an agent in the order in which they are tried, each as fingerprint and comment.

    Raises:
        AgentError: If nobody answers, or something that is no agent.
        TimeoutError: If the answer takes too long.
    """
    with _connect(path) as connection:
        try:
            connection.sendall(_REQUEST_IDENTITIES)
            (length,) = _LENGTH.unpack(_receive(connection, _LENGTH.size))
            if not 1 <= length <= _MAX_ANSWER_BYTES:
                raise AgentError("its answer is none of an SSH agent")
            answer = _receive(connection, length)
        except TimeoutError:
            raise
        except OSError as error:
            raise AgentError(error.strerror or str(error)) from error
    if answer[0] != _IDENTITIES_ANSWER:
        # A locked agent shows no keys.
        return []
    try:
        return _parse(answer[1:])
    except struct.error:
        raise AgentError("its answer is none of an SSH agent") from None


def _too_many(keys: Sequence[str]) -> str | None:
    if len(keys) <= MAX_AUTH_TRIES:
        return None
    late = ", ".join(keys[MAX_AUTH_TRIES:])
    return (
        f"the SSH agent has {len(keys)} keys, and an SSH server hears no more than {MAX_AUTH_TRIES} of them "
        f"(MaxAuthTries); these may never be tried: {late}; if a Pi answers `too many authentication "
        "failures`, name the file of the right key in the stack file (piray:ssh.privateKeyFile), or take "
        "other keys out of the agent (`ssh-add -d FILE`)"
    )


def _connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT_S)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise AgentError(error.strerror or str(error)) from error
    return connection


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise AgentError("it closed the connection")
        data += part
    return data


def _parse(answer: bytes) -> list[str]:
    (count,) = _LENGTH.unpack_from(answer)
    rest = answer[_LENGTH.size :]
    keys = []
    for _ in range(count):
        key, rest = _string(rest)
        comment, rest = _string(rest)
        fingerprint = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
        said = "".join(char for char in comment.decode(errors="replace") if char.isprintable())
        keys.append(f"SHA256:{fingerprint} {said}".rstrip())
    return keys


def _string(data: bytes) -> tuple[bytes, bytes]:
    (length,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size
    if len(data) < start + length:
        raise struct.error("cut")
    return data[start : start + length], data[start + length :]
