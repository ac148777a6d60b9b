"""Computes Mandelbrot tiles: the readable kernel, the NumPy reference and the check of the fast kernel by it.

Sampling and formula are those of the first write-up: the smooth value is `r - log2(log2(|z| + 1))`, where r
is the last iteration that still found |z| within the threshold. Pixels that never escape are coloured by |z|
after the last iteration, so they are iterated to the end: no interior test can be used. Knows nothing of Ray.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.kernel import MODULUS_FLOOR, smooth_values
from workloads.mandelbrot.palette import colour_scale, fill_indices
from workloads.mandelbrot.plan import STRIP_ROWS, Band, Plan, Tile, View

__all__ = [
    "MODULUS_FLOOR",
    "Band",
    "KernelMismatch",
    "Plan",
    "Tile",
    "View",
    "check_kernel",
    "compute_band",
    "compute_tile",
    "draw",
    "draw_band",
    "reference_tile",
    "scalar_tile",
    "warm_up",
]

# A check costs as much whatever the plan: crops of nine tiles, and no more iterations than this.
CHECK_SIDE = 64
CHECK_ITERATIONS = 256
# Values of a piece of a band stay in the second-level cache until they are coloured.
PIECE_PIXELS = 2**17
# One update of the reference rounds about ten times and one of the kernel about five, each by 2**-53 of a
# term no larger than |z|**2 + |z| + |c|; doubled for safety.
UPDATE_ROUNDING = 2.0**-48
# Rounding of |z|**2, of the two logarithms and of the value to float32.
VALUE_ROUNDING = 4e-6
FLOAT32_ROUNDING = 2.0**-23


class KernelMismatch(AssertionError):  # noqa: N818  # says what was found
    """The compiled kernel disagrees with the NumPy reference by more than rounding allows."""


def compute_band(plan: Plan, band: Band) -> NDArray[np.uint8]:
    """Compute a part of the picture with the fast kernel, and colour it.

    Args:
        plan: The problem.
        band: Which part of it.

    Returns:
        Colour indices of shape (band.rows, band.columns).
    """
    indices = np.empty((band.rows, band.columns), dtype=np.uint8)
    for piece, part in _pieces(plan, band):
        indices[piece.first - band.first : piece.end - band.first] = part
    return indices


def draw_band(canvas: Canvas, band: Band, progress: Callable[[int], None] | None = None) -> None:
    """Compute as `compute_band` does, and put every piece in its place before the next one.

    Args:
        canvas: Filled there.
        band: Where.
        progress: Called with the number of pixels of each piece.
    """
    for piece, part in _pieces(canvas.plan, band):
        canvas.place(piece, part)
        if progress is not None:
            progress(part.size)


def draw(canvas: Canvas, progress: Callable[[int], None] | None = None) -> None:
    """Compute a whole picture in this process, on one core; the arguments are those of `draw_band`."""
    draw_band(canvas, Band(0, canvas.plan.height, 0, canvas.plan.width), progress)


def _pieces(plan: Plan, band: Band) -> Iterator[tuple[Band, NDArray[np.uint8]]]:
    """Yield the pieces of a band and their colour indices, which the next piece overwrites."""
    x, y = _axes(plan)
    x, scale = x[band.left : band.right], colour_scale(plan)
    rows = max(1, PIECE_PIXELS // (band.columns * STRIP_ROWS)) * STRIP_ROWS
    values = np.empty((min(rows, band.rows), band.columns), dtype=np.float32)
    indices = np.empty(values.shape, dtype=np.uint8)
    for first in range(band.first, band.end, rows):
        end = min(first + rows, band.end)
        part, coloured = values[: end - first], indices[: end - first]
        smooth_values(x, y[first:end], plan.max_iterations, plan.threshold, part, preview=plan.preview)
        fill_indices(part, scale, coloured)
        yield Band(first, end, band.left, band.right), coloured


def compute_tile(plan: Plan, tile: Tile) -> NDArray[np.float32]:
    """Compute one tile with the fast kernel.

    Args:
        plan: The problem.
        tile: Which part of it.

    Returns:
        Smooth values of shape (tile.height, tile.width), finite everywhere.
    """
    x, y = _samples(tile)
    values = np.empty((tile.height, tile.width), dtype=np.float32)
    smooth_values(x, y, plan.max_iterations, plan.threshold, values, preview=plan.preview)
    return values


def scalar_tile(plan: Plan, tile: Tile) -> NDArray[np.float64]:
    """Compute one tile with the readable kernel: pixel by pixel, in float64 to the end.

    Returns:
        Smooth values of shape (tile.height, tile.width), finite everywhere.
    """
    x, y = _samples(tile)
    values = np.empty((tile.height, tile.width))
    _scalar_values(x, y, plan.max_iterations, float(plan.threshold), values)
    return values


def reference_tile(plan: Plan, tile: Tile) -> NDArray[np.float64]:
    """Compute one tile by the write-up's NumPy formula: slow, and what the kernel has to agree with.

    Returns:
        Smooth values of shape (tile.height, tile.width), finite everywhere.
    """
    c = _points(tile)
    z = np.zeros_like(c)
    r = np.zeros(c.shape)
    for i in range(plan.max_iterations):
        mask = np.abs(z) <= plan.threshold
        z += (z * z + c - z) * mask
        r[mask] = i
    return _smooth(r, np.abs(z))


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


def warm_up() -> float:
    """Make the kernel ready in this process, before anything is timed.

    Returns:
        Wall time in seconds: cold, if this process has to compile it; warm, if it finds it on disk (see
        `jit.tally`); close to zero the second time.
    """
    begin = time.perf_counter()
    compute_band(Plan(x_grids=1, y_grids=1, grid_width=2, grid_height=2), Band(0, 2, 0, 2))
    return time.perf_counter() - begin


@njit(nogil=True)
def _scalar_values(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    max_iterations: int,
    threshold: float,
    values: NDArray[np.float64],
) -> None:
    """Fill `values` (y.size, x.size) for the points x + iy."""
    limit = threshold * threshold
    for row in range(y.size):
        c_im = y[row]
        for col in range(x.size):
            c_re = x[col]
            z_re = 0.0
            z_im = 0.0
            re_squared = 0.0
            im_squared = 0.0
            last = 0
            for i in range(max_iterations):
                if re_squared + im_squared > limit:
                    break
                last = i
                z_im = 2.0 * z_re * z_im + c_im
                z_re = re_squared - im_squared + c_re
                re_squared = z_re * z_re
                im_squared = z_im * z_im
            modulus = max(math.sqrt(re_squared + im_squared), MODULUS_FLOOR)
            values[row, col] = last - math.log2(math.log2(modulus + 1.0))


# A worker computes many bands of one plan.
@lru_cache(maxsize=4)
def _axes(plan: Plan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the samples of the picture's columns and of its rows."""
    return plan.x_samples(), plan.y_samples()


def _samples(tile: Tile) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the real parts (tile.width,) and the imaginary parts (tile.height,), inclusive at both ends."""
    return (
        np.linspace(tile.x_begin, tile.x_end, tile.width),
        np.linspace(tile.y_begin, tile.y_end, tile.height),
    )


def _points(tile: Tile) -> NDArray[np.complex128]:
    """Return the points c of a tile, of shape (tile.height, tile.width)."""
    x, y = np.meshgrid(*_samples(tile))
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
