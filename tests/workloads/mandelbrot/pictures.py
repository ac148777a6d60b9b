"""Pictures of smooth values, by the kernel and by plainer ways to the same, and plans of all kinds."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from bench.peers.article import article_values
from workloads.mandelbrot.kernel import MODULUS_FLOOR
from workloads.mandelbrot.plan import Plan, Tile, View
from workloads.mandelbrot.reference import compute_tile

SMALL = Plan(x_grids=4, y_grids=4, grid_width=25, grid_height=25)
# float32 holds values up to 43 to within 2e-6; the kernel's two logarithms are good for as much.
INTERIOR_TOLERANCE = 1e-5
ESCAPED_TOLERANCE = 6e-6


plans = st.builds(
    lambda xg, yg, gw, gh, x, y, span_x, span_y, n: Plan(
        xg, yg, gw, gh, View(x, x + span_x, y, y + span_y), max_iterations=n
    ),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 7),
    st.integers(1, 7),
    st.floats(-2.5, 1.0),
    st.floats(-1.5, 1.0),
    st.floats(1e-3, 3.0),
    st.floats(1e-3, 3.0),
    st.integers(1, 60),
)


def tiles(plan: Plan) -> Iterator[Tile]:
    """Yield every tile, column by column, as the article does."""
    for col, row in itertools.product(range(plan.x_grids), range(plan.y_grids)):
        yield plan.tile(row, col)


def part_of(tile: Tile) -> tuple[slice, slice]:
    """Return the rows and columns of the picture that a tile fills."""
    row, col = tile.row * tile.height, tile.col * tile.width
    return slice(row, row + tile.height), slice(col, col + tile.width)


def grid_range(begin: float, end: float, n_grids: int) -> Iterator[tuple[float, float]]:
    ih, it = itertools.tee(np.linspace(begin, end, n_grids + 1))
    next(it)
    return ((h, t) for h, t in zip(ih, it, strict=False))


def values_of(plan: Plan) -> NDArray[np.float32]:
    """Return the smooth values of a picture, put together from its tiles."""
    image = np.empty((plan.height, plan.width), dtype=np.float32)
    for tile in tiles(plan):
        image[part_of(tile)] = compute_tile(plan, tile)
    return image


def article_picture(n_xg: int, n_yg: int, gw: int, gh: int) -> NDArray[np.float64]:
    """The 2020 article's rendering, without Ray."""
    res = []
    xs = grid_range(-2, 1, n_xg)
    ys = grid_range(-1, 1, n_yg)
    for (xb, xe), (yb, ye) in itertools.product(xs, ys):
        x, y = np.meshgrid(np.linspace(xb, xe, gw), np.linspace(yb, ye, gh))
        c = x + 1j * y
        res.append(article_values(c))
    return np.concatenate(np.concatenate(np.array(res).reshape(n_yg, n_xg, gh, gw), axis=2), axis=0)


def scalar_tile(plan: Plan, tile: Tile) -> NDArray[np.float64]:
    """Compute one tile with the readable kernel: pixel by pixel, in float64 to the end.

    Returns:
        Smooth values of shape (tile.height, tile.width), finite everywhere.
    """
    x, y = tile.x_samples(), tile.y_samples()
    values = np.empty((tile.height, tile.width))
    _scalar_values(x, y, plan.max_iterations, float(plan.threshold), values)
    return values


def reference_tile(plan: Plan, tile: Tile) -> NDArray[np.float64]:
    """Compute one tile by the article's NumPy formula.

    Returns:
        Smooth values of shape (tile.height, tile.width), finite everywhere.
    """
    x, y = np.meshgrid(tile.x_samples(), tile.y_samples())
    c = x + 1j * y
    z = np.zeros_like(c)
    r = np.zeros(c.shape)
    for i in range(plan.max_iterations):
        mask = np.abs(z) <= plan.threshold
        z += (z * z + c - z) * mask
        r[mask] = i
    values: NDArray[np.float64] = r - np.log2(np.log2(np.maximum(np.abs(z), MODULUS_FLOOR) + 1.0))
    return values


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
