"""Writes the vector code of the Mandelbrot kernel as LLVM IR; the same text for every processor.

Numba's own vectoriser leaves a loop that ends early in scalar code, so the loop is spelled out here, for a
block of pixels `rows` high and one vector wide. A block is iterated without looking wherever none of its
pixels can have passed the threshold, and looked at step by step only around an escape. Every path does the
same operations with the same rounding, so a pixel's value does not depend on its neighbours.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

# log2(1 + f) / f for 1 + f from sqrt(1/2) to sqrt(2), minimax, relative error below 1.2e-6; constant first.
INNER_LOG2 = (
    1.442696452140808,
    -0.7213636040687561,
    0.48062676191329956,
    -0.3593716323375702,
    0.2956995368003845,
    -0.26932018995285034,
    0.17162451148033142,
)
# log2(1 + f) - f for f from 0 to 1, minimax, error below 1.9e-6; constant first.
OUTER_LOG2 = (
    1.8456866e-06,
    0.44249531626701355,
    -0.7177910804748535,
    0.4565216600894928,
    -0.27654072642326355,
    0.12100223451852798,
    -0.025691088289022446,
)
# A float32 as bits: 23 of them are the mantissa; 1.0; sqrt(1/2), where a mantissa counts as below 1.
MANTISSA_BITS = 23
MANTISSA = (1 << MANTISSA_BITS) - 1
ONE = 0x3F800000
SQRT_HALF = 0x3F3504F3
# From where it is one bit of a coordinate that tells, |z|**2 is below this.
CALM_NORM = 8.0
# Below this no coordinate has that bit.
REST_NORM = 4.0
FRAME_PARTS = 6

I32, I64 = ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()


@dataclass(frozen=True)
class Shape:
    """What a block is made of.

    Attributes:
        lanes: Pixels of one vector, a power of two.
        rows: Vectors of a block: as many as hide the latency of the arithmetic and fit in the registers.
        preview: Whether to iterate in float32 instead of float64.
        adders: Whether additions have units of their own, so that to double by one costs nothing.
        blind_steps: Updates between two looks where a pixel that lasted so long hardly escapes soon; even.
    """

    lanes: int
    rows: int
    preview: bool = False
    adders: bool = False
    blind_steps: int = 4


def shape_for(features: Mapping[str, bool], preview: bool = False, cpu: str = "") -> Shape:
    """Choose the shape for a processor by the features and the name that LLVM has for it.

    Source of what is said of AMD: Software Optimization Guide for the AMD Zen4 Microarchitecture, 2.11.
    """
    if features.get("avx512f"):
        bits, rows = 512, 8
    elif features.get("avx2"):
        bits, rows = 256, 4
    else:
        bits, rows = 128, 8
    return Shape(bits // (32 if preview else 64), rows, preview, adders=cpu.startswith("znver"))


class _Vectors:
    """Vector arithmetic on one builder."""

    def __init__(self, builder: ir.IRBuilder, real: Any, lanes: int) -> None:
        self.builder = builder
        self.real, self.lanes = real, lanes
        self.kind = ir.VectorType(real, lanes)
        self.integers = ir.VectorType(I32 if real == F32 else I64, lanes)
        self._fma = self._intrinsic("fma", 3)
        self._sqrt = self._intrinsic("sqrt", 1)

    def _intrinsic(self, name: str, arguments: int) -> ir.Function:
        # llvmlite has no names for intrinsics of vectors.
        full = f"llvm.{name}.v{self.lanes}f{32 if self.real == F32 else 64}"
        known = self.builder.module.globals.get(full)
        kind = ir.FunctionType(self.kind, [self.kind] * arguments)
        return known or ir.Function(self.builder.module, kind, full)

    def all(self, value: float) -> Any:
        """Return a constant, the same in each lane."""
        return ir.Constant(self.kind, [value] * self.lanes)

    def bits(self, value: int) -> Any:
        """Return a whole number, the same in each lane."""
        return ir.Constant(self.integers, [value] * self.lanes)

    def splat(self, value: Any) -> Any:
        """Return a vector with a variable in each lane."""
        kind = ir.VectorType(value.type, self.lanes)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
        return self.builder.shuffle_vector(
            one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, self.lanes), None)
        )

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """Return a * b + c, rounded once."""
        return self.builder.call(self._fma, [a, b, c])

    def sqrt(self, value: Any) -> Any:
        """Return the square root."""
        return self.builder.call(self._sqrt, [value])

    def larger(self, a: Any, b: Any) -> Any:
        """Return the larger of each lane; b where a is no number."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def any(self, mask: Any) -> Any:
        """Return whether any lane of a mask is set."""
        word = ir.IntType(self.lanes)
        return self.builder.icmp_unsigned("!=", self.builder.bitcast(mask, word), ir.Constant(word, 0))

    def load(self, address: Any, align: int = 4) -> Any:
        """Load a vector."""
        return self.builder.load(address, align=align)


def define_prepare(module: ir.Module, name: str, shape: Shape) -> ir.Function:
    """Add the function that prepares the frame of `define_iterate` for some rows.

    Its arguments: the frame, the imaginary parts of the rows, and the limit of |z|**2.
    """
    real = F32 if shape.preview else F64
    function = ir.Function(
        module, ir.FunctionType(ir.VoidType(), [real.as_pointer(), real.as_pointer(), real]), name
    )
    function.linkage = "internal"
    frame, ys, limit = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = _Vectors(b, real, shape.lanes)
    vectors = b.bitcast(frame, v.kind.as_pointer())
    for row in range(shape.rows):
        c_im = b.load(b.gep(ys, [ir.Constant(I64, row)]))
        half = b.fmul(c_im, ir.Constant(real, 0.5))
        for part, value in enumerate((c_im, half, limit), start=1):
            place = b.gep(vectors, [ir.Constant(I64, part * shape.rows + row)])
            b.store(v.splat(value), place, align=4)
    b.ret_void()
    return function


def define_iterate(module: ir.Module, name: str, shape: Shape) -> ir.Function:
    """Add the function that iterates one block of pixels.

    Its arguments:

    - the real parts of the block's columns;
    - a frame of FRAME_PARTS times `rows` vectors: room for the real parts, the imaginary parts of the rows,
      half of these, the limit (as `define_prepare` leaves them), and room for results of parked pixels;
    - max_iterations; an n up to which no pixel can have passed the threshold; an n before which a look at
      every second step is worth it; an n before which that is allowed, for two steps from CALM_NORM cannot
      pass the threshold; the threshold's square;
    - where to put |z|**2 and the last index that found |z| within the threshold, both float32, and the
      distance of two rows there, in pixels.

    It returns whether pixels were parked: then the frame has to be prepared anew.
    """
    real = F32 if shape.preview else F64
    kind = ir.FunctionType(I64, [real.as_pointer()] * 2 + [I64] * 4 + [real] + [F32.as_pointer()] * 2 + [I64])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    for argument in function.args:
        if isinstance(argument.type, ir.PointerType):
            argument.add_attribute("noalias")
    _Block(function, shape).define()
    return function


_PARTS = (
    "sure",
    "sure_odd",
    "one",
    "unsure",
    "unsure_odd",
    "pairs",
    "pair",
    "head",
    "near",
    "near_look",
    "near_step",
    "far_step",
    "far_exact",
    "far_check",
    "far_undo",
    "rest",
    "enter",
    "enter_even",
    "watch",
    "watch_one",
    "watch_any",
    "watch_room",
    "park",
    "finish",
    "end",
    "merge",
    "done",
)


class _Block:
    """The body of `define_iterate`; its variables are on the stack, from where LLVM moves them to registers.

    n counts the updates done, so that z is z_n; from the first steps on an even number of them is left.
    """

    def __init__(self, function: ir.Function, shape: Shape) -> None:
        self.function, self.shape = function, shape
        (
            self.xs,
            self.frame,
            self.most,
            self.free,
            self.early,
            self.near,
            self.limit,
            self.norm_out,
            self.last_out,
            self.stride,
        ) = function.args
        self.rows = range(shape.rows)
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.v = _Vectors(self.b, F32 if shape.preview else F64, shape.lanes)
        self.small = ir.VectorType(F32, shape.lanes)
        self.z_re, self.z_im, self.norm = ([self.b.alloca(self.v.kind) for _ in self.rows] for _ in range(3))
        self.n, self.parked = self.b.alloca(I64), self.b.alloca(ir.IntType(1))
        vectors = self.b.bitcast(self.frame, self.v.kind.as_pointer())
        self.c_re, self.c_im, self.half, self.limits = (
            [self.b.gep(vectors, [ir.Constant(I64, part * shape.rows + row)]) for row in self.rows]
            for part in range(4)
        )
        self.norms, self.lasts = (
            [self._row(out, row) for row in self.rows] for out in (self.norm_out, self.last_out)
        )
        self.to = {part: function.append_basic_block(part) for part in _PARTS}

    def define(self) -> None:
        """Write the whole function."""
        self._begin()
        self._define_first()
        self._define_blind()
        self._define_watched()
        self._define_end()

    def _define_first(self) -> None:
        """Write the steps before which no pixel can have passed the threshold, and what makes them even."""
        b, to = self.b, self.to
        b.cbranch(self._before(0, self.free), to["sure"], to["unsure"])
        with b.goto_block(to["sure"]):
            b.cbranch(self._odd(), to["sure_odd"], to["pairs"])
        with b.goto_block(to["sure_odd"]):
            b.cbranch(self._before(1, self.free), to["one"], to["enter"])
        with b.goto_block(to["one"]):
            self._steps(1)
            b.branch(to["pairs"])

        with b.goto_block(to["unsure"]):
            self._store_lasts(ir.Constant(F32, 0.0))
            self._look()
            b.cbranch(self._before(1, self.most), to["unsure_odd"], to["end"])
        with b.goto_block(to["unsure_odd"]):
            b.cbranch(self._odd(), to["watch_one"], to["watch"])

        with b.goto_block(to["pairs"]):
            b.cbranch(self._before(2, self.free), to["pair"], to["head"])
        with b.goto_block(to["pair"]):
            self._steps(2)
            b.branch(to["pairs"])

    def _define_blind(self) -> None:
        """Write the steps that need no look at each |z|."""
        b, to, blind = self.b, self.to, self.shape.blind_steps
        with b.goto_block(to["head"]):
            far = b.and_(b.not_(self._before(1, self.early)), self._before(blind, self.most))
            b.cbranch(far, to["far_step"], to["near"])

        # Two steps cannot pass the threshold from where all pixels are.
        with b.goto_block(to["near"]):
            b.cbranch(self._before(2, self.near), to["near_look"], to["rest"])
        with b.goto_block(to["near_look"]):
            b.cbranch(self._any_leaving(), to["enter"], to["near_step"])
        with b.goto_block(to["near_step"]):
            self._steps(2)
            b.branch(to["head"])

        # Later more of them at once, undone if they did.
        with b.goto_block(to["far_step"]):
            before = [b.load(variable) for variable in (*self.z_re, *self.z_im)]
            self._steps(blind)
            b.cbranch(self._any_leaving(), to["far_undo"], to["far_exact"])
        with b.goto_block(to["far_exact"]):
            strict = b.fcmp_ordered("<", self.limit, ir.Constant(self.v.real, CALM_NORM))
            b.cbranch(strict, to["far_check"], to["head"])
        with b.goto_block(to["far_check"]):
            limit = self.v.splat(self.limit)
            above = [b.fcmp_unordered(">", norm, limit) for norm in map(self._norm, self.rows)]
            b.cbranch(self._any(above), to["far_undo"], to["head"])
        with b.goto_block(to["far_undo"]):
            for value, variable in zip(before, (*self.z_re, *self.z_im), strict=True):
                b.store(value, variable)
            self._advance(-blind)
            b.branch(to["enter"])
        with b.goto_block(to["rest"]):
            b.cbranch(self._before(1, self.most), to["enter"], to["finish"])

    def _define_watched(self) -> None:
        """Write the steps among which pixels escape: each stops where it does."""
        b, to = self.b, self.to
        # Whoever comes here has no pixel that escaped before: the first step needs no look.
        with b.goto_block(to["enter"]):
            self._store_lasts(b.sitofp(b.load(self.n), F32))
            self._steps(1)
            self._look()
            b.cbranch(self._odd(), to["watch_one"], to["enter_even"])
        with b.goto_block(to["enter_even"]):
            b.cbranch(self._before(1, self.most), to["watch"], to["end"])

        with b.goto_block(to["watch"]):
            self._watched_steps(2)
            b.cbranch(self._before(1, self.most), to["watch_any"], to["end"])
        with b.goto_block(to["watch_one"]):
            self._watched_steps(1)
            b.cbranch(self._before(1, self.most), to["watch_any"], to["end"])
        with b.goto_block(to["watch_any"]):
            escaped = [b.fcmp_unordered(">", *self._norm_and_limit(row)) for row in self.rows]
            b.cbranch(self._all(escaped), to["end"], to["watch_room"])
        with b.goto_block(to["watch_room"]):
            rest = self.v.all(REST_NORM)
            restless = self._any(
                [
                    b.and_(self._inside(row), b.fcmp_ordered(">=", b.load(self.norm[row]), rest))
                    for row in self.rows
                ]
            )
            blind = b.or_(self._before(self.shape.blind_steps, self.most), self._before(2, self.near))
            b.cbranch(b.and_(b.not_(restless), blind), to["park"], to["watch"])
        with b.goto_block(to["park"]):
            self._park()
            b.branch(to["head"])

    def _define_end(self) -> None:
        b = self.b
        with b.goto_block(self.to["finish"]):
            self._look()
            self._store_lasts(b.sitofp(b.sub(self.most, ir.Constant(I64, 1)), F32))
            b.branch(self.to["end"])
        with b.goto_block(self.to["end"]):
            for norm, place in zip(self.norm, self.norms, strict=True):
                b.store(self._rounded(b.load(norm)), place, align=4)
            b.cbranch(b.load(self.parked), self.to["merge"], self.to["done"])
        with b.goto_block(self.to["merge"]):
            for row in self.rows:
                parked = b.not_(self._running(row))
                for kept, place in self._kept(row):
                    self._store_where(parked, b.load(kept, align=4), place)
            b.branch(self.to["done"])
        with b.goto_block(self.to["done"]):
            b.ret(b.zext(b.load(self.parked), I64))

    def _row(self, out: Any, row: int) -> Any:
        """Return where a row of results goes."""
        offset = self.b.mul(self.stride, ir.Constant(I64, row))
        return self.b.bitcast(self.b.gep(out, [offset]), self.small.as_pointer())

    def _begin(self) -> None:
        b = self.b
        c_re = self.v.load(b.bitcast(self.xs, self.v.kind.as_pointer()))
        for row in self.rows:
            b.store(c_re, self.c_re[row], align=4)
            b.store(c_re, self.z_re[row])
            b.store(self.v.load(self.c_im[row]), self.z_im[row])
        b.store(ir.Constant(I64, 1), self.n)
        b.store(ir.Constant(ir.IntType(1), 0), self.parked)

    def _before(self, steps: int, end: Any) -> Any:
        """Return whether so many steps do not lead beyond an n."""
        return self.b.icmp_signed("<=", self.b.add(self.b.load(self.n), ir.Constant(I64, steps)), end)

    def _advance(self, steps: int) -> None:
        self.b.store(self.b.add(self.b.load(self.n), ir.Constant(I64, steps)), self.n)

    def _steps(self, steps: int) -> None:
        """Replace z by z * z + c."""
        pairs = 0 if self.shape.adders else steps // 2
        for _ in range(pairs):
            self._pair()
        for _ in range(steps - 2 * pairs):
            self._stay()
            for row in self.rows:
                self._store_z(row, *self._next(row))
        self._advance(steps)

    def _pair(self) -> None:
        """Do two steps with seven operations instead of eight, and the same rounding."""
        b, v = self.b, self.v
        # Half the imaginary part: both of its doublings are left to the second step.
        halves = []
        self._stay()
        for row in self.rows:
            x, y = b.load(self.z_re[row]), b.load(self.z_im[row])
            b.store(v.fma(x, x, v.fma(b.fneg(y), y, v.load(self.c_re[row]))), self.z_re[row])
            halves.append(v.fma(x, y, v.load(self.half[row])))
        self._stay()
        for row, half in enumerate(halves):
            x, four = b.load(self.z_re[row]), b.fmul(half, v.all(4.0))
            next_x = v.fma(x, x, v.fma(b.fneg(four), half, v.load(self.c_re[row])))
            self._store_z(row, next_x, v.fma(x, four, v.load(self.c_im[row])))

    def _store_z(self, row: int, re: Any, im: Any) -> None:
        self.b.store(re, self.z_re[row])
        self.b.store(im, self.z_im[row])

    def _next(self, row: int) -> tuple[Any, Any]:
        """Return z * z + c of a row."""
        b, v = self.b, self.v
        x, y = b.load(self.z_re[row]), b.load(self.z_im[row])
        next_x = v.fma(x, x, v.fma(b.fneg(y), y, v.load(self.c_re[row])))
        return next_x, v.fma(b.fadd(x, x), y, v.load(self.c_im[row]))

    def _norm(self, row: int) -> Any:
        """Return |z|**2 of a row."""
        x, y = self.b.load(self.z_re[row]), self.b.load(self.z_im[row])
        return self.v.fma(y, y, self.b.fmul(x, x))

    def _look(self) -> None:
        """Keep |z|**2."""
        for row in self.rows:
            self.b.store(self._norm(row), self.norm[row])

    def _norm_and_limit(self, row: int) -> tuple[Any, Any]:
        return self.b.load(self.norm[row]), self.v.load(self.limits[row])

    def _inside(self, row: int) -> Any:
        """Return which pixels of a row have not escaped, by the last look."""
        return self.b.fcmp_ordered("<=", *self._norm_and_limit(row))

    def _stay(self) -> None:
        """Let no load of the frame be moved before this; the registers are too few to hold what it has."""
        self.b.fence("acq_rel", "singlethread")

    def _running(self, row: int) -> Any:
        """Return which pixels of a row are not parked."""
        return self.b.fcmp_ordered(">=", self.v.load(self.limits[row]), self.v.all(0.0))

    def _any(self, masks: Sequence[Any]) -> Any:
        """Return whether any pixel is in a mask."""
        return self.v.any(functools.reduce(self.b.or_, masks))

    def _all(self, masks: Sequence[Any]) -> Any:
        """Return whether every pixel is in its mask."""
        return self.b.not_(self.v.any(self.b.not_(functools.reduce(self.b.and_, masks))))

    def _odd(self) -> Any:
        """Return whether an odd number of steps is left."""
        return self.b.trunc(self.b.sub(self.most, self.b.load(self.n)), ir.IntType(1))

    def _any_leaving(self) -> Any:
        """Return whether a coordinate is 2 or more, or no number: at a |z|**2 of CALM_NORM or more one is."""
        b = self.b
        # The highest bit of the exponent is set just then.
        words = [b.bitcast(b.load(z), self.v.integers) for z in (*self.z_re, *self.z_im)]
        while len(words) > 1:
            words = [b.or_(p, q) for p, q in zip(words[::2], words[1::2], strict=True)]
        bit = self.v.bits(1 << (30 if self.v.real == F32 else 62))
        return self.v.any(b.icmp_unsigned("!=", b.and_(words[0], bit), self.v.bits(0)))

    def _watched_steps(self, steps: int) -> None:
        """Update the pixels that have not escaped, and keep the last index that found them so, and |z|**2."""
        b = self.b
        for _ in range(steps):
            self._stay()
            n = self.v.splat(b.sitofp(b.load(self.n), F32))
            for row in self.rows:
                inside = self._inside(row)
                self._store_where(inside, n, self.lasts[row])
                for value, variable in zip(self._next(row), (self.z_re[row], self.z_im[row]), strict=True):
                    b.store(b.select(inside, value, b.load(variable)), variable)
                b.store(self._norm(row), self.norm[row])
            self._advance(1)

    def _store_lasts(self, index: Any) -> None:
        """Keep an index as the last for all pixels; where they are parked that does no harm."""
        for last in self.lasts:
            self.b.store(self.v.splat(index), last, align=4)

    def _store_where(self, mask: Any, value: Any, place: Any) -> None:
        self.b.store(self.b.select(mask, value, self.b.load(place, align=4)), place, align=4)

    def _rounded(self, value: Any) -> Any:
        return value if self.v.real == F32 else self.b.fptrunc(value, self.small)

    def _park(self) -> None:
        """Put the pixels that have escaped where they stay for ever: z = c = 0, and no limit holds them."""
        b, v = self.b, self.v
        for row in self.rows:
            inside = self._inside(row)
            escaped = b.and_(self._running(row), b.not_(inside))
            results = (self._rounded(b.load(self.norm[row])), b.load(self.lasts[row], align=4))
            for value, (kept, _) in zip(results, self._kept(row), strict=True):
                self._store_where(escaped, value, kept)
            for variable in (self.z_re[row], self.z_im[row]):
                b.store(b.select(inside, b.load(variable), v.all(0.0)), variable)
            for place in (self.c_re[row], self.c_im[row], self.half[row]):
                b.store(b.select(inside, v.load(place), v.all(0.0)), place, align=4)
            b.store(b.select(inside, v.load(self.limits[row]), v.all(-1.0)), self.limits[row], align=4)
        b.store(ir.Constant(ir.IntType(1), 1), self.parked)

    def _kept(self, row: int) -> list[tuple[Any, Any]]:
        """Return where |z|**2 and the last index of parked pixels are kept, and where they go in the end."""
        floats = self.b.bitcast(self.frame, self.small.as_pointer())
        size = self.shape.rows * (1 if self.shape.preview else 2)
        first = self.b.gep(floats, [ir.Constant(I64, 4 * size + row)])
        second = self.b.gep(floats, [ir.Constant(I64, 5 * size + row)])
        return [(first, self.norms[row]), (second, self.lasts[row])]


def define_smooth(module: ir.Module, name: str, lanes: int, floor: float) -> ir.Function:
    """Add the function that makes smooth values of |z|**2 and the last index: last - log2(log2(|z| + 1)).

    Its arguments: |z|**2, the index and the value, all float32; the distance of two rows of the former and
    of two rows of values, in bytes; how many rows, and how many pixels of each. It reads whole vectors, and
    writes over the indices where a vector is not whole. Below the floor |z| counts as the floor.
    """

    def smooth(v: _Vectors, norm: Any, last: Any) -> Any:
        modulus = v.larger(v.sqrt(v.load(norm)), v.all(floor))
        return _minus_log2(v, _scaled_log2(v, modulus), v.load(last))

    return _define_each(module, name, lanes, F32, smooth)


def define_count(module: ir.Module, name: str, lanes: int) -> ir.Function:
    """Add the function that makes whole numbers (int32) of the last index; otherwise like `define_smooth`."""

    def count(v: _Vectors, _: Any, last: Any) -> Any:
        return v.builder.fptosi(v.load(last), ir.VectorType(I32, lanes))

    return _define_each(module, name, lanes, I32, count)


def _define_each(
    module: ir.Module, name: str, lanes: int, result: Any, make: Callable[[_Vectors, Any, Any], Any]
) -> ir.Function:
    """Add a function that makes a number of each |z|**2 and last index, vector by vector."""
    kinds = [F32.as_pointer(), F32.as_pointer(), result.as_pointer(), I64, I64, I64, I64]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "internal"
    norms, lasts, values, stride, values_stride, rows, count = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = _Vectors(b, F32, lanes)
    row, at = b.alloca(I64), b.alloca(I64)
    zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
    head, start, column, body, whole, part, next_row, end = (
        function.append_basic_block(block)
        for block in ("head", "start", "column", "body", "whole", "part", "next_row", "end")
    )

    def place(base: Any, distance: Any) -> Any:
        """Return where a row's next number is."""
        first = b.gep(b.bitcast(base, ir.IntType(8).as_pointer()), [b.mul(b.load(row), distance)])
        return b.gep(b.bitcast(first, base.type), [b.load(at)])

    b.store(zero, row)
    b.branch(head)
    b.position_at_end(head)
    b.cbranch(b.icmp_signed("<", b.load(row), rows), start, end)
    b.position_at_end(start)
    b.store(zero, at)
    b.branch(column)
    b.position_at_end(column)
    b.cbranch(b.icmp_signed("<", b.load(at), count), body, next_row)

    b.position_at_end(body)
    norm, last, value = place(norms, stride), place(lasts, stride), place(values, values_stride)
    made = make(v, *(b.bitcast(pointer, v.kind.as_pointer()) for pointer in (norm, last)))
    left = b.sub(count, b.load(at))
    results = ir.VectorType(result, lanes).as_pointer()
    b.store(b.add(b.load(at), ir.Constant(I64, lanes)), at)
    b.cbranch(b.icmp_signed("<=", ir.Constant(I64, lanes), left), whole, part)
    b.position_at_end(whole)
    b.store(made, b.bitcast(value, results), align=4)
    b.branch(column)
    b.position_at_end(part)
    b.store(made, b.bitcast(last, results), align=4)
    copy = module.declare_intrinsic("llvm.memcpy", [value.type, last.type, I64])
    b.call(copy, [value, last, b.mul(left, ir.Constant(I64, 4)), ir.Constant(ir.IntType(1), 0)])
    b.branch(next_row)

    b.position_at_end(next_row)
    b.store(b.add(b.load(row), one), row)
    b.branch(head)
    b.position_at_end(end)
    b.ret_void()
    return function


def _scaled_log2(v: _Vectors, value: Any) -> Any:
    """Return 2**23 * log2(value + 1) of positive float32 numbers, with a small relative error."""
    b = v.builder
    sum_ = b.fadd(value, v.all(1.0))
    word = b.bitcast(sum_, v.integers)
    # The exponent where it stands in the word is 2**23 times what it counts.
    exponent = b.and_(b.sub(word, v.bits(SQRT_HALF)), v.bits(~MANTISSA))
    # The sum's mantissa less 1, but from the value: the sum has lost some of a small one.
    scale = b.bitcast(b.sub(v.bits(ONE), exponent), v.kind)
    excess = v.fma(value, scale, b.fsub(scale, v.all(1.0)))
    series = _polynomial(v, [2.0**MANTISSA_BITS * coefficient for coefficient in INNER_LOG2], excess)
    return v.fma(series, excess, b.sitofp(exponent, v.kind))


def _minus_log2(v: _Vectors, scaled: Any, last: Any) -> Any:
    """Return last - log2(scaled / 2**23), with a small error."""
    b = v.builder
    word = b.bitcast(scaled, v.integers)
    # As a number the word is 2**23 * (exponent + mantissa - 1), but for what its zero stands for.
    zero = ONE + (MANTISSA_BITS << MANTISSA_BITS) - round(OUTER_LOG2[0] * 2**MANTISSA_BITS)
    line = v.fma(b.sitofp(b.sub(word, v.bits(zero)), v.kind), v.all(-(2.0**-MANTISSA_BITS)), last)
    mantissa = b.bitcast(b.or_(b.and_(word, v.bits(MANTISSA)), v.bits(ONE)), v.kind)
    excess = b.fsub(mantissa, v.all(1.0))
    series = _polynomial(v, [-coefficient for coefficient in OUTER_LOG2[1:]], excess)
    return v.fma(series, excess, line)


def _polynomial(v: _Vectors, coefficients: Sequence[float], value: Any) -> Any:
    """Return a polynomial's value; the constant comes first."""
    result = v.all(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result = v.fma(result, value, v.all(coefficient))
    return result
