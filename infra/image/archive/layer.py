"""A tree of files as a layer of an image: the same bytes for the same tree, whoever makes it."""

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

# 2020-01-01. A zip of files from before 1980 cannot be made, which Ray does with users' folders.
MTIME = 1_577_836_800
# The highest before the time grows faster than the size shrinks.
_LEVEL = 15
# The same result for every number from 1 on.
_THREADS = os.cpu_count() or 1
# A link takes 512 bytes itself.
_LINKED = 4096

Owner = Callable[[str], tuple[int, int]]


@dataclass(frozen=True)
class Layer:
    """A layer as it is in an archive.

    Attributes:
        what: For people.
        file: Where it is: a tar, compressed by zstd.
        digest: SHA-256 of the file, in hex.
        diff_id: SHA-256 of the tar, in hex.
        size: Of the file, in bytes.
        unpacked: Of the files within, in bytes.
    """

    what: str
    file: Path
    digest: str
    diff_id: str
    size: int
    unpacked: int


class _Summed:
    """Passes on what is written, and adds it up."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        self._file.write(data)
        return len(data)


def write_layer(what: str, tree: Path, file: Path, owner: Owner) -> Layer:
    """Pack a tree: sorted, with one time for all, and files that are the same as links to one of them.

    Args:
        what: For people.
        tree: A directory that stands for the image's root; it holds files, directories and symbolic links.
        file: Where the layer goes.
        owner: Says user and group of a path.
    """
    compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=_THREADS, write_checksum=True)
    with file.open("wb") as raw:
        packed = _Summed(raw)
        with compressor.stream_writer(packed, closefd=False) as stream:  # type: ignore[arg-type]  # it only writes
            plain = _Summed(stream)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
                unpacked = _add_all(tar, tree, owner)
    return Layer(what, file, packed.sha256.hexdigest(), plain.sha256.hexdigest(), packed.size, unpacked)


def _add_all(tar: tarfile.TarFile, tree: Path, owner: Owner) -> int:
    """Add the files and return their bytes."""
    seen: dict[tuple[str, int], str] = {}
    total = 0
    for path in sorted(tree.rglob("*"), key=lambda path: path.relative_to(tree).parts):
        entry = tarfile.TarInfo(path.relative_to(tree).as_posix())
        status = path.lstat()
        entry.mtime, entry.mode = MTIME, stat.S_IMODE(status.st_mode)
        entry.uid, entry.gid = owner(entry.name)
        if path.is_symlink():
            entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, os.readlink(path)
            tar.addfile(entry)
        elif path.is_dir():
            entry.type = tarfile.DIRTYPE
            tar.addfile(entry)
        else:
            total += _add_file(tar, entry, path, seen)
    return total


def _add_file(
    tar: tarfile.TarFile, entry: tarfile.TarInfo, path: Path, seen: dict[tuple[str, int], str]
) -> int:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size >= _LINKED:
            key = (hashlib.file_digest(file, "sha256").hexdigest(), entry.mode)
            first = seen.setdefault(key, entry.name)
            if first != entry.name:
                entry.type, entry.linkname = tarfile.LNKTYPE, first
                tar.addfile(entry)
                return 0
            file.seek(0)
        entry.size = size
        tar.addfile(entry, file)
    return size
