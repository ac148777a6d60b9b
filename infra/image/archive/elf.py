"""Programs and libraries in the ELF format, as the loader of a foreign processor would see them.

Format: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html (64 bits, little-endian)
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"\x7fELF\x02\x01"
# e_type … e_shstrndx, after the 16 bytes of e_ident.
_HEADER = struct.Struct("<HHIQQQIHHHHHH")
_IDENT = 16
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _STRSZ = 1, 5, 10
# Offsets of e_shoff, and of e_shentsize to e_shstrndx.
_SECTIONS_AT, _SECTION_COUNT_AT = 40, 58


@dataclass(frozen=True)
class Elf:
    """What a loader looks at.

    Attributes:
        machine: Number of the processor.
        alignment: The smallest of the segments that are loaded, in bytes; pages may not be larger.
        needed: Names of the libraries that are loaded with it.
        loaded: Bytes up to the end of what is ever loaded; section tables and symbols come after.
    """

    machine: int
    alignment: int
    needed: tuple[str, ...]
    loaded: int


def read(path: Path) -> Elf | None:
    """Look at a file; None if it is not in this format."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return None
        file.seek(_IDENT)
        _, machine, _, _, at, _, _, _, size, count, _, _, _ = _HEADER.unpack(file.read(_HEADER.size))
        file.seek(at)
        table = file.read(size * count)
        segments = [_SEGMENT.unpack_from(table, number * size) for number in range(count)]
        loads = [segment for segment in segments if segment[0] == _LOAD]
        return Elf(
            machine=machine,
            alignment=min((segment[7] for segment in loads), default=0),
            needed=tuple(_needed(file, segments, loads)),
            loaded=max([at + size * count, *(segment[2] + segment[5] for segment in segments)]),
        )


def _needed(file: BinaryIO, segments: list[tuple[int, ...]], loads: list[tuple[int, ...]]) -> Iterator[str]:
    for segment in segments:
        if segment[0] != _DYNAMIC:
            continue
        file.seek(segment[2])
        content = file.read(segment[5])
        entries = list(_ENTRY.iter_unpack(content[: len(content) // _ENTRY.size * _ENTRY.size]))
        values = dict(entries)
        address = values.get(_STRTAB, 0)
        for _, _, offset, virtual, _, size, _, _ in loads:
            if virtual <= address < virtual + size:
                file.seek(offset + address - virtual)
                names = file.read(values[_STRSZ])
                for tag, value in entries:
                    if tag == _NEEDED:
                        yield names[value : names.index(b"\0", value)].decode()


def strip(path: Path, least: int) -> int:
    """Cut off what is never loaded: the table of sections, symbols for debuggers.

    Args:
        path: Any file.
        least: Bytes below which a file stays as it is.

    Returns:
        The bytes that were cut off.
    """
    elf = read(path)
    size = path.stat().st_size
    if elf is None or size - elf.loaded < least:
        return 0
    with path.open("r+b") as file:
        file.truncate(elf.loaded)
        file.seek(_SECTIONS_AT)
        file.write(bytes(8))
        file.seek(_SECTION_COUNT_AT)
        # The size of an entry stays, the number of sections and the index of their names become 0.
        file.seek(2, 1)
        file.write(bytes(4))
    return size - elf.loaded
