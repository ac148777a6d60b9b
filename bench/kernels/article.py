"""The kernels against the 2020 article's own code: NumPy for the picture, pure Python for π."""

import resource
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench import ratios
from bench.figures import Figure, WrongAnswer, timed
from bench.kernels.programs import BAND, ITERATIONS, THRESHOLD
from bench.peers.article import article_values
from bench.timing import Part, seconds_by_parts
from workloads.pi.estimate import Estimate
from workloads.pi.kernel import count_inside, warm_up
from workloads.pi.reference import count_inside_python

# The article's tiles: so many pixels, so many of them in a row.
TILE, TILES = 100, 32
# NumPy takes seconds for a picture, and the kernel draws so many of them meanwhile: none of its parts, which
# take half a millisecond, may count for much.
PICTURES, NUMPY_ROUNDS = 10, 5
PI_ROUNDS = 51
# glibc takes what it once was given back below this from its heap, and no more from the system page by page.
FREED_BYTES = 30 << 20
# Standard errors; exceeded once in about 16 000 runs, and the seed is fixed.
MAX_DEVIATION = 4.0


def mandelbrot(parts: Sequence[Part]) -> Figure:
    """Compare with NumPy on the article's tiles of 100 x 100 pixels, with its allocator at its best.

    Args:
        parts: The kernel's picture.
    """
    np.ones(FREED_BYTES, dtype=np.uint8)
    tiles: list[Part] = [partial(article_values, c, ITERATIONS, THRESHOLD) for c in _tiles()]
    for tile in tiles[:TILES]:
        tile()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for tile in tiles[:TILES]:
        tile()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    seconds = seconds_by_parts({"kernel": [*parts] * PICTURES, "numpy": tiles}, NUMPY_ROUNDS)
    return timed(
        "Mandelbrot kernel / the 2020 article's NumPy",
        ratios.of_pairs([PICTURES * picture_s for picture_s in seconds["numpy"]], seconds["kernel"]),
        40.0,
        f"CPU time of {PICTURES} pictures in {BAND}-row bands and of one by NumPy {np.__version__} on its "
        f"{len(tiles)} tiles, median of {NUMPY_ROUNDS} rounds in turn; {faults / TILES:.1f} page faults each",
    )


def monte_carlo() -> Figure:
    """Compare π with the article's pure Python.

    Raises:
        WrongAnswer: If the estimate is too far off.
    """
    warm_up()
    many, few = 2_000_000, 20_000
    estimate = Estimate(many, count_inside(many, 1, 0))
    if estimate.deviation > MAX_DEVIATION:
        raise WrongAnswer(
            f"pi came out as {estimate.estimate}: {estimate.deviation:.1f} standard errors off."
        )
    programs: dict[str, list[Part]] = {
        "ours": [partial(count_inside, many, 1, 0)],
        "python": [partial(count_inside_python, few, 1, 0)],
    }
    seconds = seconds_by_parts(programs, PI_ROUNDS)
    ours_s = [each / many for each in seconds["ours"]]
    python_s = [each / few for each in seconds["python"]]
    how = f"samples a CPU second, median of {PI_ROUNDS} rounds in turn"
    return timed("π / pure Python", ratios.of_pairs(python_s, ours_s), 200.0, how)


def _tiles() -> list[NDArray[np.complex128]]:
    """Return the points of the article's tiles, which share their edges."""
    xs, ys = np.linspace(-2.0, 1.0, TILES + 1), np.linspace(-1.0, 1.0, TILES + 1)
    tiles = []
    for col in range(TILES):
        for row in range(TILES):
            x, y = np.meshgrid(
                np.linspace(xs[col], xs[col + 1], TILE), np.linspace(ys[row], ys[row + 1], TILE)
            )
            tiles.append(x + 1j * y)
    return tiles
