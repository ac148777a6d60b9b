"""What is slow to make is made once: directories outside the checkout, named by what they were made from."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock

from infra.user_cache import cache_directory


def cached(name: str, inputs: Iterable[str | Path], make: Callable[[Path], None]) -> Path:
    """Return a directory that `make` has filled, from the cache when its inputs are the same.

    Versions made from other inputs are removed; a `make` that fails leaves nothing behind.

    Args:
        name: What it is, e.g. "pi-host".
        inputs: Everything it depends on: texts as they are; files and directories by names and contents.
        make: Fills the empty directory it is given.
    """
    root = cache_directory() / "sandbox"
    wanted = root / f"{name}-{key(inputs)}"
    root.mkdir(parents=True, exist_ok=True)
    # Whoever else makes it at this moment makes it for us, too.
    with FileLock(root / f".{name}.lock"):
        if not wanted.is_dir():
            _fill(wanted, make)
        for old in root.glob(f"{name}-" + "?" * 16):
            if old != wanted:
                shutil.rmtree(old, ignore_errors=True)
    return wanted


def link_tree(source: Path, target: Path) -> None:
    """Link the files of a directory into another one, which may hold others: what is cached is never changed.

    Args:
        source: A directory in the cache.
        target: Where the links go; it need not be there yet.
    """
    for file in sorted(source.rglob("*")):
        link = target / file.relative_to(source)
        if file.is_dir():
            link.mkdir(parents=True, exist_ok=True)
        else:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(file)


def _fill(wanted: Path, make: Callable[[Path], None]) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-", dir=wanted.parent))
    try:
        make(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(wanted)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def key(inputs: Iterable[str | Path]) -> str:
    """Return 16 hexadecimal digits that stand for the inputs."""
    digest = hashlib.sha256()
    for part in inputs:
        if isinstance(part, str):
            _add(digest, "text", part.encode())
            continue
        for path in sorted(part.rglob("*")) if part.is_dir() else [part]:
            if path.is_file() and "__pycache__" not in path.parts:
                _add(digest, str(path.relative_to(part)) if path != part else path.name, path.read_bytes())
    return digest.hexdigest()[:16]


def _add(digest: "hashlib._Hash", name: str, content: bytes) -> None:
    for part in (name.encode(), content):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
