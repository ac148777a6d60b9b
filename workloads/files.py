"""Writes result files so that a reader never sees half of one."""

import os
from pathlib import Path


class FileError(OSError):
    """A file cannot be written; the message says which and what to do."""


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside it, then move it into place.

    Raises:
        FileError: If the folder is missing, not writable or full; an older file is then still whole.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(
            f"Cannot write {path}: {reason}. Choose a file in a folder that exists and that you may write to."
        ) from error
