"""Locks of a stack as a backend of files has them: they outlive a process that is killed.

https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""

import getpass
import json
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sandbox.engine.stack.state import StateError


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Keep other runs off a stack during the block.

    Args:
        state: File of the stack's state.

    Raises:
        StateError: If there is another lock.
    """
    folder = lock_folder(state)
    lock = folder / f"{uuid.uuid4()}.json"
    _refuse_others(folder, lock)
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "pid": os.getpid(),
        "username": getpass.getuser(),
        "hostname": socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    unfinished = lock.with_suffix(".new")
    unfinished.write_text(json.dumps(content))
    unfinished.replace(lock)
    try:
        _refuse_others(folder, lock)
        yield
    finally:
        lock.unlink(missing_ok=True)


def cancel(state: Path) -> None:
    """Remove all locks of a stack."""
    for lock in lock_folder(state).glob("*.json"):
        lock.unlink(missing_ok=True)


def lock_folder(state: Path) -> Path:
    """Return where the locks of a stack are; the state is in BACKEND/PROJECT/STACK.json."""
    return state.parent.parent / ".pulumi/locks/organization" / state.parent.name / state.stem


def _refuse_others(folder: Path, own: Path) -> None:
    others = [one for one in sorted(folder.glob("*.json")) if one != own]
    if not others:
        return
    lines = [
        f"the stack is currently locked by {len(others)} lock(s). Either wait for the other "
        "process(es) to end or delete the lock file with `pulumi cancel`."
    ]
    for path in others:
        by = json.loads(path.read_text())
        said = f"created by {by['username']}@{by['hostname']} (pid {by['pid']}) at {by['timestamp']}"
        lines.append(f"  file://{path}: {said}")
    raise StateError("\n".join(lines))
