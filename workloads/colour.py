"""Decides how smooth values become colour indices, and how these travel; knows nothing of colours or files.

Needs only NumPy: a job colours its picture on the cluster, where nothing promises a library for pictures. In
the first write-up matplotlib spread the palette from the smallest to the largest value of the picture; here
the range follows from the plan alone, so that any part of a picture can be coloured before the rest is known.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from workloads.plan import Plan

COLOURS = 256
# The nearer |z| of a pixel that never escapes is to 0, the further its value is above the last iteration
# index. The write-up's largest is 43.01, 12 above the index; any |z| below about 2e-4 gets the last colour.
HEADROOM = 12.0


def colour_range(plan: Plan) -> tuple[float, float]:
    """Return the values where the palette begins and ends; a value outside gets the nearest colour."""
    return 0.0, plan.max_iterations - 1 + HEADROOM


def colour_indices(values: NDArray[np.float32], plan: Plan) -> NDArray[np.uint8]:
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


def pack(indices: NDArray[np.uint8]) -> bytes:
    """Compress the indices of a whole picture for the way to the runner; about 0.6 MB for the write-up's."""
    return zlib.compress(np.ascontiguousarray(indices).tobytes(), 6)


def unpack(content: bytes, plan: Plan) -> NDArray[np.uint8]:
    """Return the indices that `pack` compressed, of shape (plan.height, plan.width).

    Raises:
        ValueError: If the picture has another number of pixels than the plan says.
    """
    indices = np.frombuffer(zlib.decompress(content), dtype=np.uint8)
    if indices.size != plan.height * plan.width:
        raise ValueError(f"The picture has {indices.size} pixels, the plan says {plan.height * plan.width}.")
    return indices.reshape(plan.height, plan.width)
