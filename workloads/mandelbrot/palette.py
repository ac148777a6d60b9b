"""Decides how smooth values become colour indices; knows nothing of colours or files.

In the first write-up matplotlib spread the palette from the smallest to the largest value of the picture;
here the range follows from the plan alone, so that any part can be coloured before the rest is known.
"""

import numpy as np
from numpy.typing import NDArray

from workloads.kernels import disk_cache
from workloads.mandelbrot.plan import Plan

COLOURS = 256
# The nearer |z| of a pixel that never escapes is to 0, the further its value is above the last iteration
# index. The write-up's largest is 43.01, 12 above the index; any |z| below about 2e-4 gets the last colour.
HEADROOM = 12.0


def colour_scale(plan: Plan) -> np.float32:
    """Return colours per unit of value; the palette begins at 0, a value outside gets the nearest colour."""
    return np.float32(COLOURS / (plan.max_iterations - 1 + HEADROOM))


def colour_indices(values: NDArray[np.float32], plan: Plan) -> NDArray[np.uint8]:
    """Map smooth values to colours; each value on its own, so tile, band and whole picture agree.

    Args:
        values: Finite smooth values, shape (rows, columns).
        plan: The plan they belong to.

    Returns:
        Indices 0..255 of the palette, of the same shape.
    """
    indices = np.empty(values.shape, dtype=np.uint8)
    fill_indices(values, colour_scale(plan), indices)
    return indices


# NumPy would go through the memory four times, which takes as long as the kernel itself.
@disk_cache.kernel("colours", "void(float32[:, ::1], float32, uint8[:, ::1])", __file__)
def fill_indices(values: NDArray[np.float32], scale: np.float32, indices: NDArray[np.uint8]) -> None:
    """Fill `indices` from `values`; both of shape (rows, columns)."""
    last = np.float32(COLOURS - 1)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            scaled = min(max(values[row, column] * scale, np.float32(0.0)), last)
            indices[row, column] = np.uint8(np.int32(scaled))
