"""Computes smooth Mandelbrot values with vectors: the fast kernel beside the readable one of `mandelbrot`.

Iterates in float64 and answers in float32. What a processor needs is decided once, from what LLVM says of it.
"""

import math
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from workloads import jit, lanes
from workloads.lanes import Shape

__all__ = ["MODULUS_FLOOR", "PREVIEW_SHAPE", "SHAPE", "smooth_values"]

# Where |z| is 0 (c = 0, c = -1) the formula has log2(0). The floor is the smallest modulus for which
# |z| + 1 differs from 1 in float64: the formula is unchanged wherever the write-up's is finite.
MODULUS_FLOOR = 2.0**-52

SHAPE = lanes.shape_for(llvm.get_host_cpu_features())
PREVIEW_SHAPE = lanes.shape_for(llvm.get_host_cpu_features(), preview=True)

# Of the compiled kernels.
SIGNATURE = "void(float64[::1], float64[::1], int64, float64, float32[:, ::1])"
# Several vectors in turn, so that one is computed while another waits for its last result.
SMOOTH_LANES = 4 * PREVIEW_SHAPE.lanes
# Columns handled at once: |z|**2 and values of a block of rows stay in the first-level cache.
CHUNK = 256
# A pixel that has not escaped by then hardly will soon: fewer looks, and some work undone if it does.
EARLY = 12
# A radius below 2 would keep looking at pixels that never escape.
LEAST_CALM = 4.0
# Above any rounding of the bounds below.
SLACK = 1e-6


def smooth_values(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    max_iterations: int,
    threshold: float,
    values: NDArray[np.float32],
    *,
    preview: bool = False,
) -> None:
    """Fill `values` (y.size, x.size) with the smooth values of the points x + iy; releases the GIL.

    Args:
        x: Real parts, ascending.
        y: Imaginary parts, ascending.
        max_iterations: Updates of a pixel that never escapes.
        threshold: A pixel has escaped once |z| is above this.
        values: Filled.
        preview: Iterate in float32: twice as many pixels at once, and wrong near the border of the set.
    """
    run = _preview_values if preview else _exact_values
    run(x, y, max_iterations, float(threshold), values)


@njit(inline="always")
def _pad(points: NDArray[np.float64], padded: NDArray[Any]) -> None:
    """Copy the points and repeat the last one."""
    # As a loop: assignments of slices cost Numba about two more seconds to compile.
    for index in range(padded.size):
        padded[index] = points[min(index, points.size - 1)]


def _iterate_with(shape: Shape) -> Any:
    """Return the compiled form of `lanes.define_iterate` for addresses instead of pointers."""
    real = types.float32 if shape.preview else types.float64

    @intrinsic
    def iterate(context, xs, ys, most, free, early, limit, calm, norms, lasts, stride):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # numba types it, by position
        signature = types.void(
            types.intp,
            types.intp,
            types.int64,
            types.int64,
            types.int64,
            real,
            real,
            types.intp,
            types.intp,
            types.int64,
        )

        def generate(context: Any, builder: ir.IRBuilder, _: Any, arguments: Any) -> Any:
            function = _defined(builder.module, f"piray_iterate_{shape.preview}", lanes.define_iterate, shape)
            _call(builder, function, arguments)
            return context.get_dummy_value()

        return signature, generate

    return iterate


def _smooth_with(pixels: int) -> Any:
    """Return the compiled form of `lanes.define_smooth`, likewise."""

    @intrinsic
    def smooth(context, norms, lasts, values, count):  # type: ignore[no-untyped-def]  # numba types it
        def generate(context: Any, builder: ir.IRBuilder, _: Any, arguments: Any) -> Any:
            function = _defined(builder.module, "piray_smooth", lanes.define_smooth, pixels, MODULUS_FLOOR)
            _call(builder, function, arguments)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp, types.int64), generate

    return smooth


def _defined(module: ir.Module, name: str, define: Any, *arguments: Any) -> ir.Function:
    return module.globals.get(name) or define(module, name, *arguments)


def _call(builder: ir.IRBuilder, function: ir.Function, arguments: Any) -> None:
    kinds = function.function_type.args
    builder.call(
        function,
        [
            builder.inttoptr(value, kind) if isinstance(kind, ir.PointerType) else value
            for value, kind in zip(arguments, kinds, strict=True)
        ],
    )


@njit(inline="always")
def _free_updates(largest: float, max_iterations: int, threshold: float) -> int:
    """Return an n up to which no pixel with |c| within `largest` can have passed the threshold; 0 for none.

    |z| of update n + 1 is at most |z|**2 + |c|, and |z| of update 1 is |c|.
    """
    bound = largest
    n = 0
    while n < max_iterations and bound <= threshold:
        bound = bound * bound + largest
        n += 1
    return n


@njit(inline="always")
def _calm_norm(largest: float, threshold: float) -> float:
    """Return a |z|**2 from which two updates cannot pass the threshold; 0 if there is none."""
    rest = threshold - largest
    return max(0.0, math.sqrt(rest) - largest) if rest > 0.0 else 0.0


def _values_with(shape: Shape) -> Any:
    """Return the compiled kernel for a shape of blocks."""
    iterate, smooth = _iterate_with(shape), _smooth_with(SMOOTH_LANES)
    lanes_, rows, chunk, real = shape.lanes, shape.rows, CHUNK, np.float32 if shape.preview else np.float64
    pixels, item = SMOOTH_LANES, (4 if shape.preview else 8)

    @jit.kernel(f"mandelbrot_{shape.lanes}x{shape.rows}x{item}", SIGNATURE, __file__, lanes.__file__)
    def run(points_re, points_im, max_iterations, threshold, values):  # type: ignore[no-untyped-def]
        height, width = values.shape
        x = np.empty(-(-width // lanes_) * lanes_, dtype=real)
        y = np.empty(-(-height // rows) * rows, dtype=real)
        _pad(points_re, x)
        _pad(points_im, y)
        norms = np.empty((rows, chunk), dtype=np.float32)
        lasts = np.empty((rows, chunk), dtype=np.float32)
        limit = real(threshold * threshold)
        for row in range(0, height, rows):
            for col in range(0, width, chunk):
                count = min(chunk, x.size - col)
                largest = (1.0 + SLACK) * math.hypot(
                    max(abs(x[col]), abs(x[col + count - 1])), max(abs(y[row]), abs(y[row + rows - 1]))
                )
                free = _free_updates(largest, max_iterations, threshold)
                calm = real(_calm_norm(largest, threshold) * (1.0 - SLACK))
                early = min(EARLY, max_iterations)
                if calm < LEAST_CALM:
                    calm, early = limit, 0
                for block in range(0, count, lanes_):
                    iterate(
                        x.ctypes.data + (col + block) * item,
                        y.ctypes.data + row * item,
                        max_iterations,
                        free,
                        early,
                        limit,
                        calm,
                        norms.ctypes.data + block * 4,
                        lasts.ctypes.data + block * 4,
                        chunk,
                    )
                # Whole vectors go where they belong, the rest by way of the buffer.
                visible = min(chunk, width - col)
                whole = visible // pixels * pixels
                for part in range(min(rows, height - row)):
                    norm, last = norms[part].ctypes.data, lasts[part].ctypes.data
                    smooth(norm, last, values[row + part].ctypes.data + col * 4, whole)
                    if whole < visible:
                        smooth(norm + whole * 4, last + whole * 4, last + whole * 4, pixels)
                        for rest in range(whole, visible):
                            values[row + part, col + rest] = lasts[part, rest]

    return run


_exact_values = _values_with(SHAPE)
_preview_values = _values_with(PREVIEW_SHAPE)
