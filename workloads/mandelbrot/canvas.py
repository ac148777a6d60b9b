"""Holds a picture's colour indices in a temporary file: memory stays bounded whatever the picture's size.

Several processes of one machine may fill it at once, each its own bands.
"""

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from workloads.mandelbrot.plan import Band, Plan

# A folder in memory, and the largest file that goes there. Writing much to a disk takes long; but a pod's
# /dev/shm has only 32 MiB beside Ray's object store, which dies where there is no room.
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108  # mkstemp makes the file private
MEMORY_BYTES = 2**24
# How much is read, compressed or hashed at once.
PIECE_BYTES = 2**22
COMPRESSION = 6


class Canvas:
    """The colour indices of a picture, row by row; row 0 is view.y_min.

    Where no band was placed the indices are 0.

    Args:
        plan: The picture.
        path: File of a canvas of the same plan, to place bands there; if not given, a new one, which is
            removed together with the object.

    Attributes:
        path: The file.

    Raises:
        OSError: If the file cannot be opened.
    """

    # Until a file is open, also when opening it failed.
    _file = -1

    def __init__(self, plan: Plan, path: str | None = None) -> None:
        self.plan = plan
        self._own = path is None
        if path is None:
            in_memory = plan.width * plan.height <= MEMORY_BYTES and os.access(MEMORY_FOLDER, os.W_OK)
            folder = MEMORY_FOLDER if in_memory else None
            self._file, self.path = tempfile.mkstemp(prefix="piray-canvas-", dir=folder)
            self.clear()
        else:
            self._file, self.path = os.open(path, os.O_RDWR), path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; may be done twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if self._own:
                Path(self.path).unlink(missing_ok=True)

    def __del__(self) -> None:
        """Leave no file behind."""
        self.close()

    def clear(self) -> None:
        """Forget every band."""
        os.ftruncate(self._file, 0)
        os.ftruncate(self._file, self.plan.width * self.plan.height)

    def place(self, band: Band, indices: NDArray[np.uint8]) -> None:
        """Put a band where it belongs.

        Args:
            band: Where.
            indices: Shape (band.rows, band.columns), contiguous.
        """
        width = self.plan.width
        if band.columns == width:
            self._write(indices.data, band.first * width)
            return
        for row, line in enumerate(indices, band.first):
            self._write(line.data, row * width + band.left)

    def rows(self, first: int, end: int) -> NDArray[np.uint8]:
        """Return some rows, shape (end - first, plan.width)."""
        width = self.plan.width
        data = _read(self._file, (end - first) * width, first * width)
        return np.frombuffer(data, dtype=np.uint8).reshape(-1, width)

    def digest(self) -> str:
        """Return the SHA-256 of all indices as hex text."""
        digest = hashlib.sha256()
        for piece in self._pieces():
            digest.update(piece)
        return digest.hexdigest()

    def packed(self) -> Iterator[bytes]:
        """Yield the picture compressed, in pieces; some 0.6 MB for the 2020 article's."""
        packer = zlib.compressobj(COMPRESSION)
        for piece in self._pieces():
            yield packer.compress(piece)
        yield packer.flush()

    @classmethod
    def unpack(cls, file: BinaryIO, plan: Plan) -> Self:
        """Return the picture that `packed` compressed.

        Raises:
            ValueError: If it has another number of pixels than the plan says, or is damaged.
        """
        canvas, unpacker, size = cls(plan), zlib.decompressobj(), 0
        try:
            while not unpacker.eof and (piece := unpacker.unconsumed_tail or file.read(PIECE_BYTES)):
                indices = unpacker.decompress(piece, PIECE_BYTES)
                canvas._write(indices, size)
                size += len(indices)
            if not unpacker.eof:
                raise ValueError("The picture is damaged: it has no end.")
        except zlib.error as error:
            raise ValueError(f"The picture is damaged: {error}.") from None
        if size != plan.width * plan.height:
            raise ValueError(f"The picture has {size} pixels, the plan says {plan.width * plan.height}.")
        return canvas

    def _write(self, indices: memoryview | bytes, at: int) -> None:
        data = memoryview(indices).cast("B")
        while data:
            written = os.pwrite(self._file, data, at)
            data, at = data[written:], at + written

    def _pieces(self) -> Iterator[bytes]:
        size = self.plan.width * self.plan.height
        for at in range(0, size, PIECE_BYTES):
            yield _read(self._file, min(PIECE_BYTES, size - at), at)


def _read(descriptor: int, size: int, at: int) -> bytes:
    parts = []
    while size and (part := os.pread(descriptor, size, at)):
        parts.append(part)
        size, at = size - len(part), at + len(part)
    return b"".join(parts)
