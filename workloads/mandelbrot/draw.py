"""Draws the Mandelbrot picture, or bands of it, on one core: computes smooth values and colours them."""

import time
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.kernel import smooth_values
from workloads.mandelbrot.palette import colour_scale, fill_indices
from workloads.mandelbrot.plan import STRIP_ROWS, Band, Plan

# Values of a piece of a band stay in the second-level cache until they are coloured.
PIECE_PIXELS = 2**17


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


def warm_up() -> float:
    """Make the kernel ready in this process, before anything is timed.

    Returns:
        Wall time in seconds: cold, if this process has to compile it; warm, if it finds it on disk (see
        `disk_cache.tally`); close to zero the second time.
    """
    begin = time.perf_counter()
    compute_band(Plan(x_grids=1, y_grids=1, grid_width=2, grid_height=2), Band(0, 2, 0, 2))
    return time.perf_counter() - begin


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


# A worker computes many bands of one plan.
@lru_cache(maxsize=4)
def _axes(plan: Plan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the samples of the picture's columns and of its rows."""
    return plan.x_samples(), plan.y_samples()
