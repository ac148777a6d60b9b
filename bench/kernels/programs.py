"""Decides what is timed of the Mandelbrot kernel and its peers in C and ISPC: a picture in bands of rows."""

import ctypes
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.timing import Part
from workloads.mandelbrot import kernel

SIDE = 3200
ITERATIONS, THRESHOLD = 32, 200.0
BAND = 64
# As long as a band takes: in less than a tenth of a millisecond wide multipliers do not even wake up.
PEAK_ROUNDS = 200_000


@dataclass(frozen=True)
class Program:
    """Something that draws the picture.

    Attributes:
        parts: What draws each band, into `out`.
        out: A band, smooth values or counts.
    """

    parts: list[Part]
    out: NDArray[Any]


@dataclass(frozen=True)
class Peak:
    """Multiply-adds of which none waits for another.

    Attributes:
        run: Does them.
        operations: How many vectors' they are.
        lanes: Of each vector.
    """

    run: Part
    operations: int
    lanes: int


def points() -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Return the columns of the 2020 article's picture, and its rows in bands."""
    x, y = np.linspace(-2.0, 1.0, SIDE), np.linspace(-1.0, 1.0, SIDE)
    return x, [y[row : row + BAND] for row in range(0, SIDE, BAND)]


def smooth_programs(x: Any, bands: list[Any]) -> dict[str, Program]:
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
        say("no gcc, or no AVX-512: the comparison with C is left out")
    return programs


def count_programs(x: Any, bands: list[Any]) -> dict[str, Program]:
    """Return what counts: the kernel, and ISPC for each target; both in float64 and in float32."""
    programs = {}
    for name, preview in (("counts", False), ("preview counts", True)):
        out = np.empty((BAND, x.size), dtype=np.int32)
        count = partial(kernel.escape_counts, preview=preview)
        programs[name] = Program([partial(count, x, band, ITERATIONS, THRESHOLD, out) for band in bands], out)
    libraries = peers.build_ispc("mandelbrot", llvm.get_host_cpu_features())
    if not libraries:
        say("no ispc on PATH: the comparison with ISPC is left out")
    for target, library in libraries.items():
        programs[f"ispc for {target}"] = _native(library.counts, x, bands, np.int32)
        programs[f"ispc preview for {target}"] = _native(library.preview_counts, x, bands, np.int32)
    return programs


def peak() -> Peak | None:
    """Return what measures the core's peak, where there is a gcc and a fused multiply-add."""
    library = peers.build("peak")
    if library is None:
        say("no gcc, or no fused multiply-add: the comparison with the core's peak is left out")
        return None
    out = np.zeros(1)
    library.peak_fma.restype = ctypes.c_int64
    library.peak_fma.argtypes = [ctypes.c_int64, ctypes.c_void_p]
    run = partial(library.peak_fma, PEAK_ROUNDS, out.ctypes.data)
    return Peak(run, int(run()), int(library.peak_lanes()))


def say(line: str) -> None:
    """Tell what is left out."""
    print(f"bench: {line}", file=sys.stderr)


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
