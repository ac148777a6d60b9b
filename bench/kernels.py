"""The kernels on one core: against NumPy, C and pure Python, and against what the core can do at all."""

import ctypes
import resource
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import peers
from bench.figures import Figure, WrongAnswer
from bench.timing import best_sums
from workloads import kernel, pi
from workloads.mandelbrot import compute_tile, reference_tile
from workloads.plan import Plan, Tile

SIDE = 3200
ITERATIONS, THRESHOLD = 32, 200.0
BAND = 64
# Operations of one tested update: |z|**2 and z * z + c share two products, two of four are additions.
FUSED_OPERATIONS, ALL_OPERATIONS = 4, 6
PEAK_ROUNDS = 20_000
TOLERANCE = 1e-5
# Standard errors; exceeded once in about 16 000 runs, and the seed is fixed.
MAX_DEVIATION = 4.0


def points() -> tuple[Any, list[Any]]:
    """Return the columns of the write-up's picture, and its rows in bands."""
    x, y = np.linspace(-2.0, 1.0, SIDE), np.linspace(-1.0, 1.0, SIDE)
    return x, [y[row : row + BAND] for row in range(0, SIDE, BAND)]


def mandelbrot() -> list[Figure]:
    """Compare the Mandelbrot kernel; the picture is the write-up's, sampled at once.

    Raises:
        WrongAnswer: If two of them differ by more than the tolerance where pixels escape.
    """
    x, bands = points()
    ours, theirs = np.empty((2, BAND, SIDE), dtype=np.float32)
    programs: dict[str, list[Callable[[], object]]] = {
        "kernel": [partial(kernel.smooth_values, x, band, ITERATIONS, THRESHOLD, ours) for band in bands]
    }
    library = peers.build("mandelbrot")
    if library is not None and hasattr(library, "intrinsics"):
        programs["c"] = [partial(_c, library.intrinsics, x, band, theirs) for band in bands]
    peak = peers.build("peak")
    fused_operations = mixed_operations = 0
    if peak is not None:
        out = np.zeros(1)
        for name in ("peak_fma", "peak_mixed"):
            function = getattr(peak, name)
            function.restype, function.argtypes = ctypes.c_int64, [ctypes.c_int64, ctypes.c_void_p]
            programs[name] = [partial(function, PEAK_ROUNDS, out.ctypes.data)]
        fused_operations = mixed_operations = peak.peak_fma(PEAK_ROUNDS, out.ctypes.data)
    found = {name: values for name, values in (("kernel", ours), ("c", theirs)) if name in programs}
    updates = sum(_check(x, band, found, programs, index) for index, band in enumerate(bands))
    seconds = best_sums(programs, repeats=9)
    figures = _against_numpy(x, bands, ours)
    if "c" in seconds:
        how = f"C with AVX-512 intrinsics, {peers.compiler_version()}; 64-row bands in turn, best of 9 each"
        figures.append(
            Figure("Mandelbrot kernel / C with intrinsics", seconds["c"] / seconds["kernel"], 1.0, how)
        )
    if peak is not None:
        vectors = updates / peak.peak_lanes()
        fused = FUSED_OPERATIONS * vectors * seconds["peak_fma"] / fused_operations
        mixed = ALL_OPERATIONS * vectors * seconds["peak_mixed"] / mixed_operations
        how = f"{updates} updates of {FUSED_OPERATIONS} fused operations at the measured peak"
        figures.append(Figure("Mandelbrot, multiplier limit / kernel", fused / seconds["kernel"], 0.55, how))
        how += f", with {ALL_OPERATIONS - FUSED_OPERATIONS} additions that share the units on some cores"
        limit = max(fused, mixed)
        figures.append(Figure("Mandelbrot, arithmetic limit / kernel", limit / seconds["kernel"], 0.55, how))
    return figures


def monte_carlo() -> list[Figure]:
    """Compare π with the fifth write-up's pure Python."""
    pi.warm_up()
    many, few = 2_000_000, 20_000
    estimate = pi.Estimate(many, pi.count_inside(many, 1, 0))
    if estimate.deviation > MAX_DEVIATION:
        raise WrongAnswer(
            f"pi came out as {estimate.estimate}: {estimate.deviation:.1f} standard errors off."
        )
    seconds = best_sums(
        {
            "ours": [partial(pi.count_inside, many, 1, 0)],
            "python": [partial(pi.count_inside_python, few, 1, 0)],
        },
        repeats=30,
    )
    ratio = (many / seconds["ours"]) / (few / seconds["python"])
    return [Figure("π / pure Python", ratio, 200.0, "samples a second, in turn, best of 30 each")]


def _c(function: Any, x: Any, y: Any, out: Any) -> None:
    function(
        ctypes.c_void_p(x.ctypes.data),
        ctypes.c_void_p(y.ctypes.data),
        ctypes.c_int64(x.size),
        ctypes.c_int64(y.size),
        ctypes.c_int64(ITERATIONS),
        ctypes.c_double(THRESHOLD),
        ctypes.c_void_p(out.ctypes.data),
    )


def _check(x: Any, y: Any, found: dict[str, Any], programs: Any, index: int) -> int:
    """Compare kernel, C and the write-up's NumPy on a band; return how many updates it takes."""
    expected, updates = _numpy(x, y)
    escaped = np.abs(expected[1]) > THRESHOLD
    for name, values in found.items():
        programs[name][index]()
        error = float(np.abs(values - expected[0])[escaped].max(initial=0.0))
        if not error <= TOLERANCE:
            raise WrongAnswer(
                f"{name}: a pixel of band {index} is off by {error:.2g}, more than {TOLERANCE:g}."
            )
    return updates


def _numpy(x: Any, y: Any) -> tuple[tuple[Any, Any], int]:
    """Return the write-up's values and |z| for some rows, and how many updates were needed."""
    c = x + 1j * y[:, np.newaxis]
    z, r = np.zeros_like(c), np.zeros(c.shape)
    updates = 0
    for i in range(ITERATIONS):
        mask = np.abs(z) <= THRESHOLD
        z += (z * z + c - z) * mask
        r[mask] = i
        updates += int(np.count_nonzero(mask))
    modulus = np.abs(z)
    with np.errstate(divide="ignore"):
        return (r - np.log2(np.log2(modulus + 1)), modulus), updates


def _against_numpy(x: Any, bands: list[Any], ours: Any) -> list[Figure]:
    """Compare with NumPy on the write-up's tiles of 100 x 100 pixels, ours by these and by bands."""
    plan = Plan()
    tiles: list[Tile] = list(plan.tiles())
    for tile in tiles[:2]:
        compute_tile(plan, tile)
        reference_tile(plan, tile)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    seconds = best_sums(
        {
            "ours": [partial(compute_tile, plan, tile) for tile in tiles],
            "numpy": [partial(reference_tile, plan, tile) for tile in tiles],
            "bands": [partial(kernel.smooth_values, x, band, ITERATIONS, THRESHOLD, ours) for band in bands],
        },
        repeats=3,
    )
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    how = f"best of 3 in turn, NumPy on the write-up's 1024 tiles, {faults} page faults in all"
    name = "Mandelbrot kernel / the write-up's NumPy"
    return [
        Figure(name, seconds["numpy"] / seconds["bands"], 40.0, f"64-row bands; {how}"),
        Figure(f"{name}, both by its tiles", seconds["numpy"] / seconds["ours"], 40.0, how),
    ]
