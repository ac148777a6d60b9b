"""Writes the vector code of the Mandelbrot kernel as LLVM IR; the same text for every processor.

Numba's own vectoriser leaves a loop that ends early in scalar code, so the loop is spelled out here, for a
block of pixels `rows` high and one vector wide. A block is iterated without looking wherever none of its
pixels can have passed the threshold, and looked at step by step only around an escape. Every path does the
same operations with the same rounding, so a pixel's value does not depend on its neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

# log2(1 + f) / f for 1 + f from sqrt(1/2) to sqrt(2), minimax, relative error below 1.2e-6; constant first.
LOG2_COEFFICIENTS = (
    1.442696452140808,
    -0.7213636040687561,
    0.48062676191329956,
    -0.3593716323375702,
    0.2956995368003845,
    -0.26932018995285034,
    0.17162451148033142,
)
# sqrt(1/2) as bits of a float32: where a mantissa counts as below 1.
SQRT_HALF_BITS = 0x3F3504F3
MANTISSA_BITS = 23
# Steps that a calm pixel cannot use to get past the threshold.
CALM_STEPS = 2

I32, I64 = ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()


@dataclass(frozen=True)
class Shape:
    """What a block is made of.

    Attributes:
        lanes: Pixels of one vector, a power of two.
        rows: Vectors of a block: as many as hide the latency of the arithmetic and fit in the registers.
        preview: Whether to iterate in float32 instead of float64.
    """

    lanes: int
    rows: int
    preview: bool = False

    @property
    def blind_steps(self) -> int:
        """Updates that may go by without a look: from a |z| of 1e6 they do not overflow."""
        return 2 if self.preview else 4

    @property
    def watched_steps(self) -> int:
        """Updates whose |z|**2 is kept before it is looked at; most blocks escape within one or two."""
        return 2


def shape_for(features: Mapping[str, bool], preview: bool = False) -> Shape:
    """Choose the shape for a processor by the features LLVM names for it."""
    if features.get("avx512f"):
        bits, rows = 512, 8
    elif features.get("avx2"):
        bits, rows = 256, 4
    else:
        bits, rows = 128, 8
    return Shape(bits // (32 if preview else 64), rows, preview)


class _Vectors:
    """Vector arithmetic on one builder."""

    def __init__(self, builder: ir.IRBuilder, real: Any, lanes: int) -> None:
        self.builder = builder
        self.real, self.lanes = real, lanes
        self.kind = ir.VectorType(real, lanes)
        self.integers = ir.VectorType(I32, lanes)
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
        return self.builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), self.bits(0))

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

    def log2(self, value: Any) -> Any:
        """Return the logarithm of positive float32 numbers."""
        b = self.builder
        word = b.bitcast(value, self.integers)
        exponent = b.ashr(b.sub(word, self.bits(SQRT_HALF_BITS)), self.bits(MANTISSA_BITS))
        mantissa = b.bitcast(b.sub(word, b.shl(exponent, self.bits(MANTISSA_BITS))), self.kind)
        f = b.fsub(mantissa, self.all(1.0))
        series = self.all(LOG2_COEFFICIENTS[-1])
        for coefficient in LOG2_COEFFICIENTS[-2::-1]:
            series = self.fma(series, f, self.all(coefficient))
        return self.fma(series, f, b.sitofp(exponent, self.kind))


def define_iterate(module: ir.Module, name: str, shape: Shape) -> ir.Function:
    """Add the function that iterates one block of pixels.

    Its arguments: the real parts of the block's columns, the imaginary parts of its rows, max_iterations, the
    three limits of `kernel.limits` that are counts or squares, where to put |z|**2 and the last index that
    found |z| within the threshold, both float32, and the distance of two rows there, in pixels.
    """
    real = F32 if shape.preview else F64
    kind = ir.FunctionType(
        ir.VoidType(),
        [
            real.as_pointer(),
            real.as_pointer(),
            I64,
            I64,
            I64,
            real,
            real,
            F32.as_pointer(),
            F32.as_pointer(),
            I64,
        ],
    )
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    _Block(function, shape).define()
    return function


_PARTS = (
    "first",
    "free",
    "free_step",
    "near",
    "near_look",
    "near_step",
    "far",
    "far_step",
    "far_undo",
    "watch",
    "watch_step",
    "watch_on",
    "tail",
    "tail_step",
    "tail_capture",
    "park",
    "finish",
    "end",
)


class _Block:
    """The body of `define_iterate`; its variables are on the stack, from where LLVM moves them to registers.

    n counts the updates done, so that z is z_n. The last index of a pixel is negative until it has escaped;
    then it is parked at z = c = 0.
    """

    def __init__(self, function: ir.Function, shape: Shape) -> None:
        self.function = function
        (
            self.xs,
            self.ys,
            self.most,
            self.free,
            self.early,
            self.limit,
            self.calm,
            self.norm_out,
            self.last_out,
            self.stride,
        ) = function.args
        self.rows, self.blind, self.watched = range(shape.rows), shape.blind_steps, shape.watched_steps
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.v = _Vectors(self.b, F32 if shape.preview else F64, shape.lanes)
        self.small = ir.VectorType(F32, shape.lanes)
        self.z_re, self.z_im, self.c_re, self.c_im = (
            [self.b.alloca(self.v.kind) for _ in self.rows] for _ in range(4)
        )
        self.n = self.b.alloca(I64)
        self.norms, self.lasts = (
            [self._row(out, row) for row in self.rows] for out in (self.norm_out, self.last_out)
        )
        self.to = {part: function.append_basic_block(part) for part in _PARTS}

    def define(self) -> None:
        """Write the whole function."""
        self._begin()
        b = self.b
        b.cbranch(self._before(0, self.free), self.to["free"], self.to["first"])

        with b.goto_block(self.to["first"]):
            self._capture([self._norms()])
            b.cbranch(self._any_left(), self.to["park"], self.to["end"])
        self._define_blind()
        self._define_watched()
        self._define_tail()

    def _define_blind(self) -> None:
        """Write the steps that need no look at each |z|."""
        b = self.b
        # No pixel of the picture's part can pass the threshold before n is `free`.
        with b.goto_block(self.to["free"]):
            b.cbranch(self._before(1, self.free), self.to["free_step"], self.to["near"])
        with b.goto_block(self.to["free_step"]):
            self._steps(1)
            b.branch(self.to["free"])

        # At first by steps that cannot pass the threshold from where all pixels are.
        with b.goto_block(self.to["near"]):
            b.cbranch(self._before(CALM_STEPS, self.early), self.to["near_look"], self.to["far"])
        with b.goto_block(self.to["near_look"]):
            b.cbranch(self._any_above(self.calm, self._norms()), self.to["watch"], self.to["near_step"])
        with b.goto_block(self.to["near_step"]):
            self._steps(CALM_STEPS)
            b.branch(self.to["near"])

        # Later by longer ones, undone if they did.
        with b.goto_block(self.to["far"]):
            b.cbranch(self._before(self.blind, self.most), self.to["far_step"], self.to["tail"])
        with b.goto_block(self.to["far_step"]):
            before = [b.load(variable) for variable in (*self.z_re, *self.z_im)]
            self._steps(self.blind)
            b.cbranch(self._any_above(self.limit, self._norms()), self.to["far_undo"], self.to["far"])
        with b.goto_block(self.to["far_undo"]):
            for value, variable in zip(before, (*self.z_re, *self.z_im), strict=True):
                b.store(value, variable)
            self._advance(-self.blind)
            b.branch(self.to["watch"])

    def _define_watched(self) -> None:
        """Write the steps among which pixels escape: |z|**2 of each is kept and looked at afterwards."""
        b = self.b
        with b.goto_block(self.to["watch"]):
            b.cbranch(self._before(self.watched, self.most), self.to["watch_step"], self.to["tail"])
        with b.goto_block(self.to["watch_step"]):
            history = []
            for _ in range(self.watched):
                self._steps(1)
                history.append(self._norms())
            self._capture(history)
            b.cbranch(self._any_left(), self.to["watch_on"], self.to["end"])
        with b.goto_block(self.to["watch_on"]):
            restless = self._any_above(self.calm, history[-1])
            self._park()
            b.cbranch(restless, self.to["watch"], self.to["near"])
        with b.goto_block(self.to["park"]):
            self._park()
            b.branch(self.to["watch"])

    def _define_tail(self) -> None:
        """Write the last steps, one by one, and the end."""
        b = self.b
        with b.goto_block(self.to["tail"]):
            b.cbranch(self._before(1, self.most), self.to["tail_step"], self.to["finish"])
        with b.goto_block(self.to["tail_step"]):
            self._steps(1)
            norms = self._norms()
            b.cbranch(self._any_above(self.limit, norms), self.to["tail_capture"], self.to["tail"])
        with b.goto_block(self.to["tail_capture"]):
            self._capture([norms])
            self._park()
            b.branch(self.to["tail"])

        with b.goto_block(self.to["finish"]):
            self._finish()
            b.branch(self.to["end"])
        with b.goto_block(self.to["end"]):
            b.ret_void()

    def _row(self, out: Any, row: int) -> Any:
        """Return where a row of results goes."""
        offset = self.b.mul(self.stride, ir.Constant(I64, row))
        return self.b.bitcast(self.b.gep(out, [offset]), self.small.as_pointer())

    def _begin(self) -> None:
        b = self.b
        c_re = self.v.load(b.bitcast(self.xs, self.v.kind.as_pointer()))
        for row in self.rows:
            c_im = self.v.splat(b.load(b.gep(self.ys, [ir.Constant(I64, row)])))
            for value, *variables in ((c_re, self.c_re, self.z_re), (c_im, self.c_im, self.z_im)):
                for variable in variables:
                    b.store(value, variable[row])
            b.store(ir.Constant(self.small, [-1.0] * self.v.lanes), self.lasts[row], align=4)
        b.store(ir.Constant(I64, 1), self.n)

    def _before(self, steps: int, end: Any) -> Any:
        """Return whether so many steps do not lead beyond an n."""
        return self.b.icmp_signed("<=", self.b.add(self.b.load(self.n), ir.Constant(I64, steps)), end)

    def _advance(self, steps: int) -> None:
        self.b.store(self.b.add(self.b.load(self.n), ir.Constant(I64, steps)), self.n)

    def _steps(self, steps: int) -> None:
        """Replace z by z * z + c, four operations each time."""
        b, fma = self.b, self.v.fma
        for _ in range(steps):
            for row in self.rows:
                x, y = b.load(self.z_re[row]), b.load(self.z_im[row])
                rest = fma(b.fneg(y), y, b.load(self.c_re[row]))
                b.store(fma(x, x, rest), self.z_re[row])
                b.store(fma(b.fadd(x, x), y, b.load(self.c_im[row])), self.z_im[row])
        self._advance(steps)

    def _norms(self) -> list[Any]:
        """Return |z|**2 of each row."""
        b = self.b
        pairs = ((b.load(x), b.load(y)) for x, y in zip(self.z_re, self.z_im, strict=True))
        return [self.v.fma(y, y, b.fmul(x, x)) for x, y in pairs]

    def _any_above(self, limit: Any, norms: Sequence[Any]) -> Any:
        """Return whether a pixel's |z|**2 is above a limit."""
        while len(norms) > 1:
            norms = [self.v.larger(p, q) for p, q in zip(norms[::2], norms[1::2], strict=True)]
        return self.v.any(self.b.fcmp_ordered(">", norms[0], self.v.splat(limit)))

    def _any_left(self) -> Any:
        """Return whether a pixel has not escaped."""
        b = self.b
        lasts = [b.load(last, align=4) for last in self.lasts]
        while len(lasts) > 1:
            pairs = zip(lasts[::2], lasts[1::2], strict=True)
            lasts = [b.select(b.fcmp_ordered("<", p, q), p, q) for p, q in pairs]
        return self.v.any(self._waiting(lasts[0]))

    def _waiting(self, last: Any) -> Any:
        return self.b.fcmp_ordered("<", last, ir.Constant(self.small, [0.0] * self.v.lanes))

    def _capture(self, history: Sequence[Sequence[Any]]) -> None:
        """Keep the last index and |z|**2 of pixels that escaped; their |z| grows from step to step.

        Args:
            history: |z|**2 of each row after each step; the last ones belong to n.
        """
        b = self.b
        limit, n = self.v.splat(self.limit), b.load(self.n)
        indices = [
            self.v.splat(b.sitofp(b.sub(n, ir.Constant(I64, steps)), F32))
            for steps in range(len(history), 0, -1)
        ]
        for row in self.rows:
            norms = [step[row] for step in history]
            norm, last = norms[-1], indices[-1]
            for earlier, index in zip(norms[-2::-1], indices[-2::-1], strict=True):
                escaped = b.fcmp_ordered(">", earlier, limit)
                norm, last = b.select(escaped, earlier, norm), b.select(escaped, index, last)
            escaped = b.fcmp_ordered(">", norms[-1], limit)
            for value, place in ((self._rounded(norm), self.norms[row]), (last, self.lasts[row])):
                b.store(b.select(escaped, value, b.load(place, align=4)), place, align=4)

    def _rounded(self, value: Any) -> Any:
        return value if self.v.real == F32 else self.b.fptrunc(value, self.small)

    def _park(self) -> None:
        b = self.b
        for row in self.rows:
            waiting = self._waiting(b.load(self.lasts[row], align=4))
            for variable in (self.z_re, self.z_im, self.c_re, self.c_im):
                b.store(b.select(waiting, b.load(variable[row]), self.v.all(0.0)), variable[row])

    def _finish(self) -> None:
        """Give the pixels that never escaped their last index and |z|**2."""
        b = self.b
        most = self.v.splat(b.sitofp(b.sub(self.most, ir.Constant(I64, 1)), F32))
        for row, norm in zip(self.rows, self._norms(), strict=True):
            waiting = self._waiting(b.load(self.lasts[row], align=4))
            for value, place in ((self._rounded(norm), self.norms[row]), (most, self.lasts[row])):
                b.store(b.select(waiting, value, b.load(place, align=4)), place, align=4)


def define_smooth(module: ir.Module, name: str, lanes: int, floor: float) -> ir.Function:
    """Add the function that makes smooth values of |z|**2 and the last index: last - log2(log2(|z| + 1)).

    Its arguments: |z|**2, the index and the value, all float32, and how many there are, a multiple of the
    lanes; below the floor |z| counts as the floor.
    """
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [F32.as_pointer()] * 3 + [I64]), name)
    function.linkage = "internal"
    norms, lasts, values, count = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = _Vectors(b, F32, lanes)
    entry, loop, end = b.block, function.append_basic_block("loop"), function.append_basic_block("end")
    zero = ir.Constant(I64, 0)
    b.cbranch(b.icmp_signed(">", count, zero), loop, end)
    b.position_at_end(loop)
    at = b.phi(I64)
    at.add_incoming(zero, entry)
    norm, last, value = (b.bitcast(b.gep(base, [at]), v.kind.as_pointer()) for base in (norms, lasts, values))
    modulus = v.larger(v.sqrt(v.load(norm)), v.all(floor))
    sum_ = b.fadd(modulus, v.all(1.0))
    # What the sum's rounding lost; it matters only where the logarithm is small.
    lost = b.fsub(modulus, b.fsub(sum_, v.all(1.0)))
    lost = b.select(b.fcmp_ordered("<", modulus, v.all(1.0)), lost, v.all(0.0))
    logarithm = v.fma(lost, v.all(LOG2_COEFFICIENTS[0]), v.log2(sum_))
    b.store(b.fsub(v.load(last), v.log2(logarithm)), value, align=4)
    following = b.add(at, ir.Constant(I64, lanes))
    at.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, count), loop, end)
    b.position_at_end(end)
    b.ret_void()
    return function
