"""Decides where compiled kernels are kept: in files that begin with their checksum; knows nothing of numba.

A folder that is missing or cannot be written to is no error, and neither is a broken file: there is only
nothing to find.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock

# A folder that came with the image; never written to.
ENV_IMAGE = "PIRAY_KERNELS"
# So many files of one kernel stay: some edits of it, for each processor of an image, about 100 KB each.
KEPT = 32
# Longer than a Pi with a busy card takes to compile; a process that has waited so long compiles for itself.
WAIT_LIMIT_S = 120.0
WAIT_STEP_S = 0.05


def digest(content: bytes) -> bytes:
    """Return the checksum of a content, 32 bytes."""
    return hashlib.sha256(content).digest()


def writable_folder() -> Path | None:
    """Return $NUMBA_CACHE_DIR, else a folder of the user's cache, made or not; None without a home."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return Path(os.environ.get("PIRAY_CACHE") or cache / "piray") / "kernels"


def find(name: str, version: str) -> Iterator[bytes]:
    """Yield each content of that name and version, the writable folder's first.

    Args:
        name: Of the kernel.
        version: What it was made from.
    """
    for folder in (writable_folder(), os.environ.get(ENV_IMAGE)):
        if folder:
            content = _read(Path(folder) / f"{name}-{version}")
            if content is not None:
                yield content


def keep(name: str, version: str, content: bytes) -> None:
    """Write a file, whole or not at all; where there is no folder or no room, do nothing.

    Args:
        name: Of the kernel; of its versions the newest stay.
        version: What it was made from.
        content: What `find` is to yield.
    """
    folder = writable_folder()
    if folder is None:
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f".{name}-", dir=folder, delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(digest(content) + content)
                file.flush()
                # An image is built by one user and run by another.
                temporary.chmod(0o644)
                temporary.replace(folder / f"{name}-{version}")
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        versions = sorted(folder.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)
        for old in versions[:-KEPT]:
            old.unlink(missing_ok=True)


def lock(name: str) -> BaseFileLock | None:
    """Wait until no other process of this machine compiles a kernel, and keep the others waiting.

    Args:
        name: Of the kernel.

    Returns:
        To be released afterwards; None where there can be no lock, or after WAIT_LIMIT_S.
    """
    folder = writable_folder()
    if folder is None:
        return None
    held = FileLock(folder / f".{name}.lock", timeout=WAIT_LIMIT_S, thread_local=False)
    # Waiting in vain ends in an OSError, too. NotImplementedError is what an older filelock, as in other
    # people's Ray images, raises on a file system without locks.
    with suppress(OSError, NotImplementedError):
        folder.mkdir(parents=True, exist_ok=True)
        held.acquire(poll_interval=WAIT_STEP_S)
        return held
    return None


def _read(path: Path) -> bytes | None:
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    size = len(digest(b""))
    return whole[size:] if whole[:size] == digest(whole[size:]) else None
