"""The locks of a stack in a backend of files, and whether those who made them still live.

A CLI that is killed leaves its lock, and every later run is refused. Locks of other backends are the CLI's
own affair: it says who holds them.
https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
import yaml

_SCHEME = "file://"
# Clocks of files and of processes are not read at the same moment.
_SLACK_S = 2.0


class LockedError(Exception):
    """Somebody else may be at work on the stack; the text is one line for the user."""


@dataclass(frozen=True)
class Lock:
    """One lock.

    Attributes:
        path: Its file.
        pid: Number of the process that made it.
        user: Who started that.
        host: On which machine.
        since: When, as in ISO 8601.
    """

    path: Path
    pid: int
    user: str
    host: str
    since: str

    @property
    def holder(self) -> str:
        """Who has made it, in words."""
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"


def release_dead_locks(stack: str, project: str, env: Mapping[str, str], project_dir: Path) -> list[str]:
    """Remove the locks of processes of this machine that have ended.

    Args:
        stack: Name of the stack, without its organization.
        project: Name of the project.
        env: Environment of the CLI.
        project_dir: Where Pulumi.yaml is.

    Returns:
        A line for the user about each removed lock.

    Raises:
        LockedError: If there is another lock.
    """
    folder = backend_folder(env, project_dir)
    if folder is None:
        return []
    said = []
    for path in sorted((folder / ".pulumi/locks/organization" / project / stack).glob("*.json")):
        lock = read_lock(path)
        if lock is None:
            continue
        if not is_dead(lock):
            raise LockedError(_held(stack, lock))
        path.unlink(missing_ok=True)
        said.append(f"removed the lock of {lock.holder}: that process has ended without doing so")
    return said


def read_lock(path: Path) -> Lock | None:
    """Return what a lock says; None if it has gone meanwhile.

    Raises:
        LockedError: If it cannot be understood.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Lock(
            path, int(said["pid"]), str(said["username"]), str(said["hostname"]), str(said["timestamp"])
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LockedError(
            f"the stack is locked by {path}, which does not say by whom ({error}); "
            "if no `make up` or `make down` is running anywhere, remove that file"
        ) from None


def is_dead(lock: Lock) -> bool:
    """Say whether a lock's process ran on this machine and has surely ended.

    Its number may belong to another process by now: one that was started after the lock was made, and is no
    Pulumi. A clock that was set since makes a process look younger than it is, never into another program.
    """
    if lock.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(lock.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        if "pulumi" in process.name():
            return False
        return process.create_time() > datetime.fromisoformat(_as_python(lock.since)).timestamp() + _SLACK_S
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError):
        return False


def backend_folder(env: Mapping[str, str], project_dir: Path) -> Path | None:
    """Return where the CLI keeps its stacks; None if that is no folder, or not known.

    As `GetCurrentCloudURL` in https://github.com/pulumi/pulumi/blob/master/pkg/workspace/creds.go
    """
    url = env.get("PULUMI_BACKEND_URL") or _of_project(project_dir) or _of_login(env)
    if not url.startswith(_SCHEME):
        return None
    path = url.removeprefix(_SCHEME).partition("?")[0]
    return project_dir / Path(path).expanduser() if path.startswith(("~", "/", ".")) else project_dir / path


def _of_project(project_dir: Path) -> str:
    try:
        contents = yaml.safe_load((project_dir / "Pulumi.yaml").read_text(encoding="utf-8"))
        return str(contents["backend"]["url"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return ""


def _of_login(env: Mapping[str, str]) -> str:
    home = Path(env.get("PULUMI_HOME") or Path.home() / ".pulumi")
    folder = Path(env.get("PULUMI_CREDENTIALS_PATH") or home)
    try:
        return str(json.loads((folder / "credentials.json").read_text(encoding="utf-8"))["current"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _held(stack: str, lock: Lock) -> str:
    here = lock.host == socket.gethostname()
    remedy = (
        "wait until it has ended"
        if here
        else f"if it is no longer at work there, run `pulumi cancel --stack {stack}` and this again"
    )
    return f"stack {stack!r} is locked by {lock.holder}; only one `up` or `down` may be at work; {remedy}"


def _as_python(timestamp: str) -> str:
    """Return Go's RFC 3339 with the six digits of a second that Python takes."""
    text = timestamp.replace("Z", "+00:00")
    whole, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{whole}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
