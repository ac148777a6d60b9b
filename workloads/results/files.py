"""Writes result files so that a reader never sees half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class FileError(OSError):
    """A file cannot be written; the message says which and what to do."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file under a temporary name beside it; it takes its place once the block has ended well.

    Raises:
        FileError: If the folder is missing, not writable or full; an older file is then still whole.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open("wb") as file:
                yield file
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(
            f"Cannot write {path}: {reason}. Choose a file in a folder that exists and that you may write to."
        ) from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file; an older one is replaced only by a whole one.

    Raises:
        FileError: As `replacing`.
    """
    with replacing(path) as file:
        file.write(content)
