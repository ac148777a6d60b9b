"""The kernels on one core: against NumPy, C, ISPC and pure Python, and against the core's own limit."""

import ctypes
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.figures import Figure, WrongAnswer
from bench.peers.article import article_values
from bench.timing import best_sums
from workloads.mandelbrot import kernel
from workloads.pi import pod

SIDE = 3200
ITERATIONS, THRESHOLD = 32, 200.0
BAND = 64
# The write-up's tiles: so many pixels, so many of them in a row.
TILE, TILES = 100, 32
REPEATS, SLOW_REPEATS = 9, 3
# Bands by which the fastest of the ways to build a peer is found.
TRIALS = 8
# Operations of one tested update by the multipliers: x * x, y * y, 2 * x * y + c, and one of the two sums.
FUSED_OPERATIONS = 4
# As long as a band takes: in less than a tenth of a millisecond wide multipliers do not even wake up.
PEAK_ROUNDS = 200_000
TOLERANCE = 1e-5
# Pixels of 1000 whose float32 orbits may lead elsewhere.
STRAYS = 0.1
# glibc takes what it once was given back below this from its heap, and no more from the system page by page.
FREED_BYTES = 30 << 20
# Standard errors; exceeded once in about 16 000 runs, and the seed is fixed.
MAX_DEVIATION = 4.0

Part = Callable[[], object]


@dataclass(frozen=True)
class Program:
    """Something that draws the picture.

    Attributes:
        parts: What draws each band, into `out`.
        out: A band, smooth values or counts.
    """

    parts: list[Part]
    out: NDArray[Any]


def points() -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return the columns of the write-up's picture, and its rows in bands."""
    x, y = np.linspace(-2.0, 1.0, SIDE), np.linspace(-1.0, 1.0, SIDE)
    return x, [y[row : row + BAND] for row in range(0, SIDE, BAND)]


def mandelbrot() -> list[Figure]:
    """Compare the Mandelbrot kernel; the picture is the write-up's, sampled at once, in bands of whole rows.

    Raises:
        WrongAnswer: If a pixel that escapes is off by more than the tolerance, or a count is wrong.
    """
    x, bands = points()
    smooth, counts = _smooth_programs(x, bands), _count_programs(x, bands)
    updates = sum(_check(x, band, smooth, counts, index) for index, band in enumerate(bands))
    programs: dict[str, list[Part]] = {
        name: program.parts for name, program in _with_fastest_ispc(smooth | counts).items()
    }
    operations, lanes = _add_peak(programs, len(bands))
    seconds = best_sums(programs, REPEATS)
    figures = [_against_numpy(programs["kernel"])]
    how = f"{BAND}-row bands in turn, best of {REPEATS} each"
    if "c" in seconds:
        figures.append(
            Figure(
                "Mandelbrot kernel / C with AVX-512 intrinsics",
                seconds["c"] / seconds["kernel"],
                1.0,
                f"{peers.compiler_version()}; {how}",
            )
        )
    for ours, theirs in (("counts", "ispc"), ("preview counts", "ispc preview")):
        for name in (name for name in seconds if name.startswith(f"{theirs} for ")):
            target = name.removeprefix(f"{theirs} for ")
            figures.append(
                Figure(
                    f"Mandelbrot {ours} / ISPC, its example's loop, "
                    f"{'float32' if 'preview' in ours else 'float64'}",
                    seconds[name] / seconds[ours],
                    1.0,
                    f"{peers.ispc_version()}, {target}, the fastest of its targets; {how}",
                )
            )
    if operations:
        limit = FUSED_OPERATIONS * updates / lanes * seconds["peak"] / operations
        figures.append(
            Figure(
                "Mandelbrot, arithmetic limit / kernel",
                limit / seconds["kernel"],
                0.55,
                f"{updates} updates of {FUSED_OPERATIONS} multiply-adds at the measured "
                f"{operations / seconds['peak'] / 1e9:.2f}e9 vectors of {lanes} a second; {how}",
            )
        )
    return figures


def monte_carlo() -> list[Figure]:
    """Compare π with the fifth write-up's pure Python."""
    pod.warm_up()
    many, few = 2_000_000, 20_000
    estimate = pod.Estimate(many, pod.count_inside(many, 1, 0))
    if estimate.deviation > MAX_DEVIATION:
        raise WrongAnswer(
            f"pi came out as {estimate.estimate}: {estimate.deviation:.1f} standard errors off."
        )
    seconds = best_sums(
        {
            "ours": [partial(pod.count_inside, many, 1, 0)],
            "python": [partial(pod.count_inside_python, few, 1, 0)],
        },
        repeats=30,
    )
    ratio = (many / seconds["ours"]) / (few / seconds["python"])
    return [Figure("π / pure Python", ratio, 200.0, "samples a second, in turn, best of 30 each")]


def _smooth_programs(x: Any, bands: list[Any]) -> dict[str, Program]:
    """Return what makes smooth values: the kernel, and C where there is a gcc and AVX-512."""
    out = np.empty((BAND, x.size), dtype=np.float32)
    programs = {
        "kernel": Program(
            [partial(kernel.smooth_values, x, band, ITERATIONS, THRESHOLD, out) for band in bands], out
        )
    }
    library = peers.build("mandelbrot")
    if library is not None and hasattr(library, "intrinsics"):
        programs["c"] = _native(library.intrinsics, x, bands, np.float32)
    else:
        _say("no gcc, or no AVX-512: the comparison with C is left out")
    return programs


def _count_programs(x: Any, bands: list[Any]) -> dict[str, Program]:
    """Return what counts: the kernel, and ISPC for each target; both in float64 and in float32."""
    programs = {}
    for name, preview in (("counts", False), ("preview counts", True)):
        out = np.empty((BAND, x.size), dtype=np.int32)
        count = partial(kernel.escape_counts, preview=preview)
        programs[name] = Program([partial(count, x, band, ITERATIONS, THRESHOLD, out) for band in bands], out)
    libraries = peers.build_ispc("mandelbrot", llvm.get_host_cpu_features())
    if not libraries:
        _say("no ispc on PATH: the comparison with ISPC is left out")
    for target, library in libraries.items():
        programs[f"ispc for {target}"] = _native(library.counts, x, bands, np.int32)
        programs[f"ispc preview for {target}"] = _native(library.preview_counts, x, bands, np.int32)
    return programs


def _native(function: Any, x: Any, bands: list[Any], dtype: Any) -> Program:
    """Return a program of a function in C's way of calling; all of them take the same arguments."""
    out = np.empty((BAND, x.size), dtype=dtype)
    function.restype = None
    function.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 3 + [ctypes.c_double, ctypes.c_void_p]
    parts: list[Part] = [
        partial(
            function,
            x.ctypes.data,
            band.ctypes.data,
            x.size,
            band.size,
            ITERATIONS,
            THRESHOLD,
            out.ctypes.data,
        )
        for band in bands
    ]
    return Program(parts, out)


def _with_fastest_ispc(programs: dict[str, Program]) -> dict[str, Program]:
    """Return the programs without all but the fastest of ISPC's."""
    chosen = {name: program for name, program in programs.items() if " for " not in name}
    for kind in ("ispc for ", "ispc preview for "):
        tried = {name: program.parts for name, program in programs.items() if name.startswith(kind)}
        if tried:
            step = max(1, len(next(iter(tried.values()))) // TRIALS)
            seconds = best_sums({name: parts[::step] for name, parts in tried.items()}, SLOW_REPEATS)
            fastest = min(seconds, key=seconds.__getitem__)
            chosen[fastest] = programs[fastest]
    return chosen


def _add_peak(programs: dict[str, list[Part]], parts: int) -> tuple[int, int]:
    """Add what measures the core's peak; return its operations, 0 without it, and the lanes of each."""
    library = peers.build("peak")
    if library is None:
        _say("no gcc, or no fused multiply-add: the comparison with the core's peak is left out")
        return 0, 1
    out = np.zeros(1)
    library.peak_fma.restype = ctypes.c_int64
    library.peak_fma.argtypes = [ctypes.c_int64, ctypes.c_void_p]

    def run() -> int:
        return int(library.peak_fma(PEAK_ROUNDS, out.ctypes.data))

    programs["peak"] = [run] * parts
    return run() * parts, int(library.peak_lanes())


def _check(x: Any, band: Any, smooth: Any, counts: Any, index: int) -> int:
    """Compare all programs with the plainest NumPy on a band; return how many updates it takes.

    Raises:
        WrongAnswer: Names the program.
    """
    values, modulus, last = _expected(x, band)
    escaped = modulus > THRESHOLD
    for name, program in smooth.items():
        program.parts[index]()
        error = float(np.abs(program.out[: band.size] - values)[escaped].max(initial=0.0))
        if not error <= TOLERANCE:
            raise WrongAnswer(
                f"{name}: a pixel of band {index} is off by {error:.2g}, more than {TOLERANCE:g}."
            )
    for name, program in counts.items():
        program.parts[index]()
        wrong = np.count_nonzero(program.out[: band.size] != last)
        if wrong > (last.size * STRAYS / 1000 if "preview" in name else 0):
            raise WrongAnswer(f"{name}: {wrong} counts of band {index} are wrong.")
    return int(last.sum() + last.size)


def _expected(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Return the write-up's values, |z| and counts for some rows."""
    c = x + 1j * y[:, np.newaxis]
    z, last = np.zeros_like(c), np.zeros(c.shape, dtype=np.int32)
    for i in range(ITERATIONS):
        mask = np.abs(z) <= THRESHOLD
        z += (z * z + c - z) * mask
        last[mask] = i
    modulus = np.abs(z)
    with np.errstate(divide="ignore"):
        return last - np.log2(np.log2(modulus + 1)), modulus, last


def _against_numpy(parts: list[Part]) -> Figure:
    """Compare with NumPy on the write-up's tiles of 100 x 100 pixels, with its allocator at its best."""
    np.ones(FREED_BYTES, dtype=np.uint8)
    tiles: list[Part] = [partial(article_values, c, ITERATIONS, THRESHOLD) for c in _write_up_tiles()]
    for tile in tiles[:TILES]:
        tile()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for tile in tiles[:TILES]:
        tile()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    seconds = best_sums({"kernel": parts, "numpy": tiles}, SLOW_REPEATS)
    return Figure(
        "Mandelbrot kernel / the write-up's NumPy",
        seconds["numpy"] / seconds["kernel"],
        40.0,
        f"{BAND}-row bands against NumPy {np.__version__} on the write-up's {len(tiles)} tiles, in turn, "
        f"best of {SLOW_REPEATS}; {faults / TILES:.1f} page faults a tile",
    )


def _write_up_tiles() -> list[NDArray[np.complex128]]:
    """Return the points of the write-up's tiles, which share their edges."""
    xs, ys = np.linspace(-2.0, 1.0, TILES + 1), np.linspace(-1.0, 1.0, TILES + 1)
    tiles = []
    for col in range(TILES):
        for row in range(TILES):
            x, y = np.meshgrid(
                np.linspace(xs[col], xs[col + 1], TILE), np.linspace(ys[row], ys[row + 1], TILE)
            )
            tiles.append(x + 1j * y)
    return tiles


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr)
