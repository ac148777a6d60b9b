"""Decides how smooth values become colours and a PNG file; knows nothing of how they were computed.

Needs only NumPy: a job makes its picture on the cluster, where nothing promises matplotlib or Pillow. The
palette is matplotlib's `rainbow`, as in the first write-up. There matplotlib spread it from the smallest to
the largest value of the picture; here the range follows from the plan alone, so that any part of a picture
can be coloured before the rest is known.
"""

import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workloads.files import replace_file
from workloads.plan import Plan

COLOURS = 256
# The nearer |z| of a pixel that never escapes is to 0, the further its value is above the last iteration
# index. The write-up's largest is 43.01, 12 above the index; any |z| below about 2e-4 gets the last colour.
HEADROOM = 12.0


def colour_range(plan: Plan) -> tuple[float, float]:
    """Return the values where the palette begins and ends; a value outside gets the nearest colour."""
    return 0.0, plan.max_iterations - 1 + HEADROOM


def colour_indices(values: NDArray[np.float64], plan: Plan) -> NDArray[np.uint8]:
    """Map smooth values to colours; each value on its own, so tile, band and whole picture agree.

    Args:
        values: Finite smooth values, of any shape.
        plan: The plan they belong to.

    Returns:
        Indices 0..255 of the palette, of the same shape.
    """
    first, last = colour_range(plan)
    scaled = (values - first) * (COLOURS / (last - first))
    return np.clip(scaled, 0, COLOURS - 1, out=scaled).astype(np.uint8)


def palette() -> NDArray[np.uint8]:
    """Return the colours of matplotlib's `rainbow`: red, green, blue of shape (256, 3).

    Source: "rainbow" in matplotlib's _cm.py: gnuplot's functions 33, 13 and 10.
    """
    x = np.linspace(0.0, 1.0, COLOURS)
    colours = np.stack([np.abs(2.0 * x - 0.5), np.sin(np.pi * x), np.cos(np.pi / 2.0 * x)], axis=1)
    levels: NDArray[np.uint8] = (np.clip(colours, 0.0, 1.0) * 255.0).astype(np.uint8)
    return levels


def encode_png(indices: NDArray[np.uint8], plan: Plan) -> bytes:
    """Encode a coloured picture as a PNG with a palette; the same picture gives the same bytes.

    The imaginary axis points up. Pixels of the file are square in the plane: the axis that is sampled more
    densely is reduced, and the other one never enlarged. So the write-up's 3200 x 3200 samples of a window of
    3 by 2 become 3200 x 2133 pixels.

    Args:
        indices: Palette indices of shape (plan.height, plan.width); row 0 is view.y_min.
        plan: The plan they belong to.

    Raises:
        ValueError: If the picture has another shape than the plan says.
    """
    if indices.shape != (plan.height, plan.width):
        raise ValueError(
            f"The picture has shape {indices.shape}, the plan says ({plan.height}, {plan.width})."
        )
    indices = np.flipud(indices)
    width, height = _square_pixels(plan)
    if height < plan.height:
        indices = _reduce_rows(indices, height)
    if width < plan.width:
        indices = _reduce_rows(indices.T, width).T
    return _png(indices)


def png_bytes(image: NDArray[np.float64], plan: Plan) -> bytes:
    """Colour and encode a picture; see `encode_png`.

    Args:
        image: Smooth values of shape (plan.height, plan.width); row 0 is view.y_min.
        plan: The plan they belong to.

    Raises:
        ValueError: If the picture has another shape than the plan says.
    """
    return encode_png(colour_indices(image, plan), plan)


def write_png(path: Path, image: NDArray[np.float64], plan: Plan) -> None:
    """Write the picture of `png_bytes`; an older file is replaced only by a whole one.

    Raises:
        FileError: If the file cannot be written.
    """
    replace_file(path, png_bytes(image, plan))


def _square_pixels(plan: Plan) -> tuple[int, int]:
    """Return columns and rows of the file."""
    ratio = (plan.view.y_max - plan.view.y_min) / (plan.view.x_max - plan.view.x_min)
    height = max(1, round(plan.width * ratio))
    if height <= plan.height:
        return plan.width, height
    return max(1, round(plan.height / ratio)), plan.height


def _reduce_rows(indices: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Average rows by the area they cover in each of `height` new rows.

    Averaging indices is averaging values, because the palette runs in the order of the values.
    """
    step = indices.shape[0] / height
    reduced = np.empty((height, indices.shape[1]), dtype=np.uint8)
    for row in range(height):
        begin, end = row * step, (row + 1) * step
        first, last = math.floor(begin), min(math.ceil(end), indices.shape[0])
        edges = np.clip(np.arange(first, last + 1), begin, end)
        weights = np.diff(edges) / (edges[-1] - edges[0])
        reduced[row] = np.rint(weights @ indices[first:last])
    return reduced


def _png(indices: NDArray[np.uint8]) -> bytes:
    """Encode palette indices (rows, columns) as a PNG file.

    Source: https://www.w3.org/TR/png-3/: colour type 3, 8 bits, filter type 0 on each row, which it advises
    for palettes.
    """
    height, width = indices.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = indices
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette().tobytes()),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
