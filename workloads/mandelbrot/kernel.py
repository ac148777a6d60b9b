"""Computes smooth Mandelbrot values, or counts, with the vector code that `codegen` writes: the kernel.

It iterates in float64 and answers in float32. What suits the processor is decided once, by LLVM's name and
features of it.
"""

import math
import threading
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from workloads.kernels import disk_cache
from workloads.mandelbrot.codegen import block, orbit, smoothing, vectors
from workloads.mandelbrot.codegen.vectors import Shape

# Where |z| is 0 (c = 0, c = -1) the formula has log2(0). The floor is the smallest modulus for which
# |z| + 1 differs from 1 in float64: the formula is unchanged wherever the 2020 article's is finite.
MODULUS_FLOOR = 2.0**-52

_cpu = {"features": llvm.get_host_cpu_features(), "cpu": llvm.get_host_cpu_name()}
SHAPE = vectors.shape_for(**_cpu)
PREVIEW_SHAPE = vectors.shape_for(**_cpu, preview=True)

# Files whose contents decide about the machine code.
SOURCES = (__file__, block.__file__, vectors.__file__, orbit.__file__, smoothing.__file__)
# Several vectors of float32 at once, so that one is computed while another waits for its last result.
SMOOTH_LANES = 4 * PREVIEW_SHAPE.lanes
# Columns handled at once: |z|**2 and values of a block of rows stay in the first-level cache.
CHUNK = 256
# A pixel that has not escaped by then will hardly escape soon: fewer looks, and some work undone if it does.
EARLY = 20
# In bytes; the longest vector is as long.
CACHE_LINE = 64
# More than the bounds below can be off by rounding.
SLACK = 1e-6
# No smaller than |z| of any pixel both of whose coordinates are below 2.
CALM = math.sqrt(orbit.CALM_NORM) * (1.0 + SLACK)
# Updates between two looks during the first updates.
NEAR_UPDATES = 2


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
    run, shape = (_preview_values, PREVIEW_SHAPE) if preview else (_exact_values, SHAPE)
    _fill(run, shape, (x, y), (max_iterations, threshold), values)


def escape_counts(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    max_iterations: int,
    threshold: float,
    counts: NDArray[np.int32],
    *,
    preview: bool = False,
) -> None:
    """Fill `counts` (y.size, x.size) with the last index that finds |z| within the threshold; no smoothing.

    The arguments are those of `smooth_values`.
    """
    run, shape = (_preview_counts, PREVIEW_SHAPE) if preview else (_exact_counts, SHAPE)
    _fill(run, shape, (x, y), (max_iterations, threshold), counts)


class _Room(threading.local):
    """Memory to work in, of each thread: to allocate it anew takes as long as some thousand pixels."""

    def __init__(self) -> None:
        self.parts: dict[Shape, tuple[NDArray[Any], ...]] = {}

    def get(self, shape: Shape) -> tuple[NDArray[Any], ...]:
        """Return a frame of `block.define_iterate`, and where |z|**2 and the last indices of a chunk go."""
        if shape not in self.parts:
            frame = _aligned((orbit.FRAME_PARTS, shape.rows, shape.lanes), _real(shape))
            self.parts[shape] = (frame, *_aligned((2, shape.rows, CHUNK), np.float32))
        return self.parts[shape]


_room = _Room()


def _fill(
    run: Any,
    shape: Shape,
    points: tuple[NDArray[np.float64], NDArray[np.float64]],
    limits: tuple[int, float],
    values: NDArray[Any],
) -> None:
    """Prepare what need not be compiled, and call a compiled kernel: so Numba has half as much to compile."""
    most, threshold = limits[0], float(limits[1])
    x, y = points
    height = max(abs(y.item(0)), abs(y.item(-1)))
    largest = (1.0 + SLACK) * math.hypot(max(abs(x.item(0)), abs(x.item(-1))), height)
    near = most if _updates_within(threshold, CALM, largest) >= NEAR_UPDATES else 0
    x, y = _padded(x, shape.lanes, _real(shape)), _padded(y, shape.rows, _real(shape))
    run(x, y, height, most, near, threshold, *_room.get(shape), values)


def _real(shape: Shape) -> Any:
    return np.float32 if shape.preview else np.float64


def _updates_within(threshold: float, modulus: float, largest: float) -> int:
    """Return how many updates cannot pass a threshold, at most two, given bounds of |z| and |c|."""
    updates = 0
    while updates < NEAR_UPDATES and (modulus := modulus * modulus + largest) <= threshold:
        updates += 1
    return updates


def _aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an empty array none of whose vectors lies in two lines of the cache."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room: NDArray[Any] = np.empty(size + CACHE_LINE, dtype=np.uint8)
    begin = -room.ctypes.data % CACHE_LINE
    array: NDArray[Any] = room[begin : begin + size].view(dtype).reshape(shape)
    return array


def _padded(points: NDArray[np.float64], size: int, real: Any) -> NDArray[Any]:
    """Return the points, the last one repeated until their number is a multiple of a size."""
    rest = -points.size % size
    if not rest:
        # A copy: for Numba an array that may not be written to has another type, and would be compiled anew.
        return np.array(points, dtype=real)
    padded = np.empty(points.size + rest, dtype=real)
    padded[: points.size] = points
    padded[points.size :] = points[-1]
    return padded


def _prepare_with(shape: Shape) -> Any:
    """Return the compiled form of `block.define_prepare`, for addresses instead of pointers."""
    real = types.float32 if shape.preview else types.float64

    @intrinsic
    def prepare(context, frame, ys, limit):  # type: ignore[no-untyped-def]  # numba types it
        def generate(context: Any, builder: ir.IRBuilder, _: Any, arguments: Any) -> Any:
            function = _defined(builder.module, f"piray_prepare_{shape.preview}", block.define_prepare, shape)
            _call(builder, function, arguments)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, real), generate

    return prepare


def _iterate_with(shape: Shape) -> Any:
    """Return the compiled form of `block.define_iterate`, likewise."""
    real = types.float32 if shape.preview else types.float64

    @intrinsic
    def iterate(context, xs, frame, most, free, early, near, limit, norms, lasts, stride):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # numba types it, by position
        signature = types.int64(
            types.intp,
            types.intp,
            types.int64,
            types.int64,
            types.int64,
            types.int64,
            real,
            types.intp,
            types.intp,
            types.int64,
        )

        def generate(context: Any, builder: ir.IRBuilder, _: Any, arguments: Any) -> Any:
            function = _defined(builder.module, f"piray_iterate_{shape.preview}", block.define_iterate, shape)
            return _call(builder, function, arguments)

        return signature, generate

    return iterate


def _each_with(name: str, define: Any, *arguments: Any) -> Any:
    """Return the compiled form of `smoothing.define_smooth` or `smoothing.define_count`, likewise."""

    @intrinsic
    def each(context, norms, lasts, values, stride, values_stride, rows, count):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # numba types it, by position
        def generate(context: Any, builder: ir.IRBuilder, _: Any, values: Any) -> Any:
            _call(builder, _defined(builder.module, name, define, *arguments), values)
            return context.get_dummy_value()

        counts = [types.int64] * 4
        return types.void(types.intp, types.intp, types.intp, *counts), generate

    return each


def _defined(module: ir.Module, name: str, define: Any, *arguments: Any) -> ir.Function:
    return module.globals.get(name) or define(module, name, *arguments)


def _call(builder: ir.IRBuilder, function: ir.Function, arguments: Any) -> Any:
    kinds = function.function_type.args
    return builder.call(
        function,
        [
            builder.inttoptr(value, kind) if isinstance(kind, ir.PointerType) else value
            for value, kind in zip(arguments, kinds, strict=True)
        ],
    )


def _kernel_with(shape: Shape, each: Any, kind: str = "float32") -> Any:
    """Return the compiled kernel for a shape of blocks, and what is made of its results, of some type."""
    real = "float32" if shape.preview else "float64"
    buffers = f"{real}[:, :, ::1], float32[:, ::1], float32[:, ::1]"
    signature = f"void({real}[::1], {real}[::1], float64, int64, int64, float64, {buffers}, {kind}[:, ::1])"
    prepare, iterate = _prepare_with(shape), _iterate_with(shape)
    lanes_, rows, chunk, item = shape.lanes, shape.rows, CHUNK, (4 if shape.preview else 8)

    @disk_cache.kernel("mandelbrot", signature, *SOURCES)
    def run(x, y, height, most, near, threshold, frame, norms, lasts, values):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # not for callers
        limit = threshold * threshold
        early = min(EARLY, near)
        for row in range(0, values.shape[0], rows):
            imaginary = y.ctypes.data + row * item
            prepare(frame.ctypes.data, imaginary, limit)
            for col in range(0, values.shape[1], chunk):
                count = min(chunk, x.size - col)
                # |z| of update n + 1 is at most |z|**2 + |c|, and |z| of update 1 is |c|.
                squares = max(x[col] * x[col], x[col + count - 1] * x[col + count - 1]) + height * height
                largest = (1.0 + SLACK) * math.sqrt(squares)
                bound = largest
                free = 0
                while free < most and bound <= threshold:
                    bound = bound * bound + largest
                    free += 1
                for start in range(0, count, lanes_):
                    xs = x.ctypes.data + (col + start) * item
                    norm, last = norms.ctypes.data + start * 4, lasts.ctypes.data + start * 4
                    if iterate(xs, frame.ctypes.data, most, free, early, near, limit, norm, last, chunk):
                        prepare(frame.ctypes.data, imaginary, limit)
                place = values.ctypes.data + row * values.strides[0] + col * values.itemsize
                strides = chunk * 4, values.strides[0]
                size = min(rows, values.shape[0] - row), min(chunk, values.shape[1] - col)
                each(norms.ctypes.data, lasts.ctypes.data, place, *strides, *size)

    return run


_smooth = _each_with("piray_smooth", smoothing.define_smooth, SMOOTH_LANES, MODULUS_FLOOR)
_count = _each_with("piray_count", smoothing.define_count, SMOOTH_LANES)
_exact_values, _preview_values = (_kernel_with(shape, _smooth) for shape in (SHAPE, PREVIEW_SHAPE))
_exact_counts, _preview_counts = (_kernel_with(shape, _count, "int32") for shape in (SHAPE, PREVIEW_SHAPE))
