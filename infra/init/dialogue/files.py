"""Writes files whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from infra.init.dialogue.values import InitError


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file so that there is always the old or the new one, whole.

    Args:
        path: Of the file.
        content: All of it.
        mode: Permissions, where the file system knows them.

    Raises:
        InitError: If it cannot be written; nothing is left of the attempt.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # The file systems of boot partitions have no permissions to change.
        with contextlib.suppress(PermissionError):
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except OSError as error:
        raise InitError(
            f"{path} cannot be written ({error.strerror}).\n"
            "    Make room there, or see to it that you may write there."
        ) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def kept_as(path: Path) -> Path:
    """Return where a file is kept before it is replaced: a name that nothing has yet."""
    number, kept = 1, path.with_name(f"{path.name}.bak")
    while os.path.lexists(kept):
        number += 1
        kept = path.with_name(f"{path.name}.bak.{number}")
    return kept


def read_bytes(path: Path) -> bytes | None:
    """Return what a file holds; None if there is none.

    Raises:
        InitError: If it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InitError(f"{path} cannot be read ({error.strerror}).\n    Give another place.") from None
