"""Decides what the kernel has to agree with, the 2020 article's formula in NumPy, and checks that it does.

Sampling and formula are those of the article: the smooth value is `r - log2(log2(|z| + 1))`, where r is the
last iteration that still found |z| within the threshold. Pixels that never escape are coloured by |z| after
the last iteration, so they are iterated to the end: no interior test can be used.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workloads.mandelbrot.kernel import MODULUS_FLOOR, smooth_values
from workloads.mandelbrot.plan import Plan, Tile

# A check costs as much whatever the plan: crops of nine tiles, and no more iterations than this.
CHECK_SIDE = 64
CHECK_ITERATIONS = 256
# One update of the reference rounds about ten times and one of the kernel about five, each by 2**-53 of a
# term no larger than |z|**2 + |z| + |c|; doubled for safety.
UPDATE_ROUNDING = 2.0**-48
# Rounding of |z|**2, of the two logarithms and of the value to float32.
VALUE_ROUNDING = 4e-6
FLOAT32_ROUNDING = 2.0**-23


class KernelMismatch(AssertionError):  # noqa: N818  # says what was found
    """The compiled kernel disagrees with the NumPy reference by more than rounding allows."""


def check_kernel(plan: Plan) -> None:
    """Compare the kernel with the reference on crops of nine tiles of a plan, before anything is timed.

    The preview's float32 is wrong by nature: of such a plan the exact kernel is checked.

    Rounding errors grow along an orbit, without limit next to the border of the set. So each pixel is allowed
    what a running error bound of its own orbit allows, and no more; a pixel whose orbit passes the threshold
    within that bound may escape one iteration earlier or later, and is left out.

    Raises:
        KernelMismatch: If a pixel lies outside its bounds; names the tile and the pixel.

    Source: N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.3 (running error).
    """
    plan = replace(plan, max_iterations=min(plan.max_iterations, CHECK_ITERATIONS), preview=False)
    rows = sorted({0, plan.y_grids // 2, plan.y_grids - 1})
    cols = sorted({0, plan.x_grids // 2, plan.x_grids - 1})
    for tile in (plan.tile(row, col) for col in cols for row in rows):
        crop = replace(tile, height=min(tile.height, CHECK_SIDE), width=min(tile.width, CHECK_SIDE))
        values = compute_tile(plan, crop)
        low, high = _reference_bounds(plan, crop)
        # Written so that a NaN counts as wrong.
        rounding = VALUE_ROUNDING + FLOAT32_ROUNDING * np.abs(values)
        wrong = ~((low - rounding <= values) & (values <= high + rounding))
        if wrong.any():
            row, col = (int(index) for index in np.argwhere(wrong)[0])
            found, least, most = (float(part[row, col]) for part in (values, low, high))
            raise KernelMismatch(
                f"The compiled Mandelbrot kernel is wrong on this machine: tile ({tile.row}, {tile.col}), "
                f"pixel ({row}, {col}) is {found!r}, the reference allows {least!r} to {most!r}. "
                "Nothing was timed: reinstall numba and NumPy, or report this."
            )


def compute_tile(plan: Plan, tile: Tile) -> NDArray[np.float32]:
    """Compute one tile with the fast kernel.

    Args:
        plan: The problem.
        tile: Which part of it.

    Returns:
        Smooth values of shape (tile.height, tile.width), finite everywhere.
    """
    x, y = tile.x_samples(), tile.y_samples()
    values = np.empty((tile.height, tile.width), dtype=np.float32)
    smooth_values(x, y, plan.max_iterations, plan.threshold, values, preview=plan.preview)
    return values


def _points(tile: Tile) -> NDArray[np.complex128]:
    """Return the points c of a tile, of shape (tile.height, tile.width)."""
    x, y = np.meshgrid(tile.x_samples(), tile.y_samples())
    points: NDArray[np.complex128] = x + 1j * y
    return points


def _smooth(last: NDArray[np.float64], modulus: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `last - log2(log2(modulus + 1))` with the modulus floored, so finite for any modulus."""
    values: NDArray[np.float64] = last - np.log2(np.log2(np.maximum(modulus, MODULUS_FLOOR) + 1.0))
    return values


def _reference_bounds(plan: Plan, tile: Tile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest value that rounding allows for each pixel; infinite where undecided."""
    c = _points(tile)
    z = np.zeros_like(c)
    last = np.zeros(c.shape)
    error = np.zeros(c.shape)
    undecided = np.zeros(c.shape, dtype=bool)
    for i in range(plan.max_iterations):
        modulus = np.abs(z)
        mask = modulus <= plan.threshold
        undecided |= np.abs(modulus - plan.threshold) <= error
        rounding = UPDATE_ROUNDING * (modulus * modulus + modulus + np.abs(c))
        # An error as large as the threshold says no more than "anything": the limit avoids overflow.
        grown = np.minimum((2.0 * modulus + error) * error + rounding, plan.threshold)
        error[mask] = grown[mask]
        z += (z * z + c - z) * mask
        last[mask] = i
    modulus = np.abs(z)
    error += MODULUS_FLOOR
    low = _smooth(last, modulus + error)
    high = _smooth(last, np.maximum(modulus - error, 0.0))
    low[undecided] = -np.inf
    high[undecided] = np.inf
    return low, high
