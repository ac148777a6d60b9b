"""Estimates the work in each row of a picture, by a coarse grid of its points, and how fast a core is."""

import time

import numpy as np
from numpy.typing import NDArray

from workloads.mandelbrot.draw import compute_band
from workloads.mandelbrot.kernel import smooth_values
from workloads.mandelbrot.plan import Band, Plan

# Points of the grid along each axis: 64 where that is no more than this share of the picture's, else 32.
SIDE, LEAST_SIDE = 64, 32
SHARE = 1e-3
# What a pixel costs beside its updates, in updates: logarithms, colour, the way to memory.
PIXEL_UPDATES = 8.0
# With the 2020 article's threshold a smooth value is so much below the count of updates, within one or two.
BELOW_COUNT = 4.0

# Some 2 ms for a desktop core, 20 ms for a Pi's.
TRIAL = Plan(x_grids=1, y_grids=1, grid_width=256, grid_height=256, max_iterations=256)
TRIALS = 3


def row_work(plan: Plan) -> NDArray[np.float64]:
    """Estimate the updates of each row.

    A tenth more or less only makes a band a tenth longer; workers correct what is wrong by pulling.

    Returns:
        Shape (plan.height,), above 0; row 0 is view.y_min.
    """
    side = SIDE if SHARE * plan.width * plan.height >= SIDE * SIDE else LEAST_SIDE
    rows, columns = min(side, plan.height), min(side, plan.width)
    x, y = _middles(plan.x_samples(), columns), _middles(plan.y_samples(), rows)
    values = np.empty((y.size, x.size), dtype=np.float32)
    smooth_values(x, y, plan.max_iterations, plan.threshold, values)
    updates = np.clip(values + BELOW_COUNT, 1.0, plan.max_iterations).mean(axis=1) + PIXEL_UPDATES
    at = (np.arange(rows) + 0.5) * plan.height / rows
    work: NDArray[np.float64] = plan.width * np.interp(np.arange(plan.height) + 0.5, at, updates)
    return work


def kernel_speed() -> float:
    """Measure the work, as `row_work` counts it, that this core does in a second; the kernel is warm."""
    seconds = []
    for _ in range(TRIALS):
        begin = time.perf_counter()
        compute_band(TRIAL, Band(0, TRIAL.height, 0, TRIAL.width))
        seconds.append(time.perf_counter() - begin)
    return float(row_work(TRIAL).sum()) / min(seconds)


def _middles(samples: NDArray[np.float64], parts: int) -> NDArray[np.float64]:
    """Return the middle sample of each of so many equal parts."""
    return samples[(2 * np.arange(parts) + 1) * samples.size // (2 * parts)]
