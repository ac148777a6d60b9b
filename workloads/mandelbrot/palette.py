"""Decides which colours a picture has, and how a smooth value becomes the index of one; knows no files.

In the 2020 article matplotlib spread the palette from the smallest to the largest value of the picture. Here
the range follows from the plan alone, so that any part can be coloured before the rest is known.
"""

import numpy as np
from numpy.typing import NDArray

from workloads.kernels import disk_cache
from workloads.mandelbrot.plan import Plan

COLOURS = 256
# The nearer |z| of a pixel that never escapes is to 0, the further its value is above the last iteration
# index. The largest value of the article's picture is 43.01, 12 above the index; any |z| below about 2e-4 has
# the last colour.
HEADROOM = 12.0


def colour_scale(plan: Plan) -> np.float32:
    """Return colours per unit of value; the palette begins at 0, a value outside gets the nearest colour."""
    return np.float32(COLOURS / (plan.max_iterations - 1 + HEADROOM))


def rainbow() -> NDArray[np.uint8]:
    """Return red, green and blue of each colour, shape (COLOURS, 3): the article's, matplotlib's "rainbow".

    Source: matplotlib's _cm.py, where gnuplot's functions 33, 13 and 10 are the three; as there, fractions of
    a whole number are cut off.
    """
    x = np.linspace(0.0, 1.0, COLOURS)
    parts = np.abs(2.0 * x - 0.5), np.sin(np.pi * x), np.cos(np.pi / 2.0 * x)
    colours: NDArray[np.uint8] = (255.0 * np.clip(np.stack(parts, axis=1), 0.0, 1.0)).astype(np.uint8)
    return colours


# NumPy would go through the memory four times, which takes as long as the kernel itself.
@disk_cache.kernel("colours", "void(float32[:, ::1], float32, uint8[:, ::1])", __file__)
def fill_indices(values: NDArray[np.float32], scale: np.float32, indices: NDArray[np.uint8]) -> None:
    """Map smooth values to colours; each value on its own, so tile, band and whole picture agree.

    Args:
        values: Finite smooth values, shape (rows, columns).
        scale: What `colour_scale` says of their plan.
        indices: Filled with indices 0..255 of the palette, of the same shape.
    """
    last = np.float32(COLOURS - 1)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            scaled = min(max(values[row, column] * scale, np.float32(0.0)), last)
            indices[row, column] = np.uint8(np.int32(scaled))
