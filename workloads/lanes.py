"""Writes the vector code of the Mandelbrot kernel as LLVM IR; the same text for every processor.

Numba's own vectoriser leaves a loop that ends early in scalar code, so the loop is spelled out here, for a
block of pixels `rows` high and one vector wide. A block is iterated without looking wherever none of its
pixels can have passed the threshold, and looked at step by step only around an escape. Every path does the
same operations with the same rounding, so a pixel's value does not depend on its neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

# log2(1 + f) / f for 1 + f in [sqrt(1/2), sqrt(2)), relative error below 2e-7 (minimax); constant term first.
LOG2_COEFFICIENTS = (
    1.442694902420044,
    -0.7213528156280518,
    0.48092323541641235,
    -0.3602396249771118,
    0.2870987057685852,
    -0.24887686967849731,
    0.23404234647750854,
    -0.14581164717674255,
)
# sqrt(1/2) as bits of a float32: where a mantissa counts as below 1.
SQRT_HALF_BITS = 0x3F3504F3
MANTISSA_BITS = 23
# Steps without looking, undone if a pixel turns out to have escaped during them. With 4 no finite threshold
# that a plan allows can overflow on the way (1e6 to the power of 16).
BLIND_STEPS = 4
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


class _Block:
    """The body of `define_iterate`; its variables are on the stack, from where LLVM moves them to registers.

    n counts the updates done, so that z is z_n. Pixels that have escaped are parked at z = c = 0.
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
        self.rows = range(shape.rows)
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.v = _Vectors(self.b, F32 if shape.preview else F64, shape.lanes)
        self.small = ir.VectorType(F32, shape.lanes)
        self.z_re, self.z_im, self.c_re, self.c_im, self.norm, self.escape = (
            [self.b.alloca(self.v.kind) for _ in self.rows] for _ in range(6)
        )
        self.n = self.b.alloca(I64)

    def define(self) -> None:
        """Write the whole function."""
        b, entry = self.b, self.b.block
        names = (
            "free",
            "free_step",
            "near",
            "near_look",
            "near_step",
            "far",
            "far_step",
            "far_undo",
            "look",
            "capture",
            "missed",
            "calm",
            "step",
            "step_on",
            "finish",
            "store",
        )
        to = {name: self.function.append_basic_block(name) for name in names}
        b.position_at_end(entry)
        self._begin()
        b.cbranch(self._before(0, self.free), to["free"], to["look"])

        with b.goto_block(to["free"]):
            b.cbranch(self._before(1, self.free), to["free_step"], to["near"])
        with b.goto_block(to["free_step"]):
            self._steps(1)
            b.branch(to["free"])

        with b.goto_block(to["near"]):
            b.cbranch(self._before(CALM_STEPS, self.early), to["near_look"], to["far"])
        with b.goto_block(to["near_look"]):
            b.cbranch(self._any_above(self.calm, self._measure()), to["step"], to["near_step"])
        with b.goto_block(to["near_step"]):
            self._steps(CALM_STEPS)
            b.branch(to["near"])

        with b.goto_block(to["far"]):
            b.cbranch(self._before(BLIND_STEPS, self.most), to["far_step"], to["step"])
        with b.goto_block(to["far_step"]):
            before = [b.load(variable) for variable in (*self.z_re, *self.z_im)]
            self._steps(BLIND_STEPS)
            b.cbranch(self._any_above(self.limit, self._measure()), to["far_undo"], to["far"])
        with b.goto_block(to["far_undo"]):
            for value, variable in zip(before, (*self.z_re, *self.z_im), strict=True):
                b.store(value, variable)
            self._advance(-BLIND_STEPS)
            b.branch(to["step"])

        with b.goto_block(to["look"]):
            largest = self._measure()
            b.cbranch(self._any_above(self.limit, largest), to["capture"], to["missed"])
        with b.goto_block(to["capture"]):
            b.cbranch(self._capture(), to["step"], to["store"])
        with b.goto_block(to["missed"]):
            b.cbranch(self._any_above(self.calm, largest), to["step"], to["calm"])
        with b.goto_block(to["calm"]):
            b.cbranch(self._before(CALM_STEPS, self.early), to["near_step"], to["far"])
        with b.goto_block(to["step"]):
            b.cbranch(self._before(1, self.most), to["step_on"], to["finish"])
        with b.goto_block(to["step_on"]):
            self._steps(1)
            b.branch(to["look"])

        with b.goto_block(to["finish"]):
            self._finish()
            b.branch(to["store"])
        with b.goto_block(to["store"]):
            self._store()
            b.ret_void()

    def _begin(self) -> None:
        b = self.b
        c_re = self.v.load(b.bitcast(self.xs, self.v.kind.as_pointer()))
        for row in self.rows:
            c_im = self.v.splat(b.load(b.gep(self.ys, [ir.Constant(I64, row)])))
            for variable, value in (
                (self.c_re, c_re),
                (self.z_re, c_re),
                (self.c_im, c_im),
                (self.z_im, c_im),
                (self.norm, self.v.all(0.0)),
                (self.escape, self.v.all(0.0)),
            ):
                b.store(value, variable[row])
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
        b = self.b
        pairs = ((b.load(x), b.load(y)) for x, y in zip(self.z_re, self.z_im, strict=True))
        return [self.v.fma(y, y, b.fmul(x, x)) for x, y in pairs]

    def _measure(self) -> Any:
        """Return the largest |z|**2 of each lane."""
        norms = self._norms()
        while len(norms) > 1:
            norms = [self.v.larger(p, q) for p, q in zip(norms[::2], norms[1::2], strict=True)]
        return norms[0]

    def _any_above(self, limit: Any, largest: Any) -> Any:
        return self.v.any(self.b.fcmp_ordered(">", largest, self.v.splat(limit)))

    def _capture(self) -> Any:
        """Keep n and |z|**2 of the pixels that have just escaped, park them, return whether others remain."""
        b = self.b
        n = self.v.splat(b.sitofp(b.load(self.n), self.v.real))
        zero = self.v.all(0.0)
        remain = None
        for row, norm in zip(self.rows, self._norms(), strict=True):
            escaped = b.fcmp_ordered(">", norm, self.v.splat(self.limit))
            b.store(b.select(escaped, norm, b.load(self.norm[row])), self.norm[row])
            b.store(b.select(escaped, n, b.load(self.escape[row])), self.escape[row])
            for variable in (self.z_re, self.z_im, self.c_re, self.c_im):
                b.store(b.select(escaped, zero, b.load(variable[row])), variable[row])
            left = b.fcmp_ordered("==", b.load(self.escape[row]), zero)
            remain = left if remain is None else b.or_(remain, left)
        return self.v.any(remain)

    def _finish(self) -> None:
        """Give the pixels that never escaped their last n and |z|**2."""
        b = self.b
        most = self.v.splat(b.sitofp(self.most, self.v.real))
        for row, norm in zip(self.rows, self._norms(), strict=True):
            left = b.fcmp_ordered("==", b.load(self.escape[row]), self.v.all(0.0))
            b.store(b.select(left, norm, b.load(self.norm[row])), self.norm[row])
            b.store(b.select(left, most, b.load(self.escape[row])), self.escape[row])

    def _store(self) -> None:
        b = self.b
        small = ir.VectorType(F32, self.v.lanes)
        for row in self.rows:
            offset = b.mul(self.stride, ir.Constant(I64, row))
            last = b.fsub(b.load(self.escape[row]), self.v.all(1.0))
            for value, out in ((b.load(self.norm[row]), self.norm_out), (last, self.last_out)):
                rounded = value if self.v.real == F32 else b.fptrunc(value, small)
                b.store(rounded, b.bitcast(b.gep(out, [offset]), small.as_pointer()), align=4)


def define_smooth(module: ir.Module, name: str, lanes: int, floor: float) -> ir.Function:
    """Add the function that makes smooth values of |z|**2 and the last index: last - log2(log2(|z| + 1)).

    Its arguments: |z|**2, the index and in its place the value, both float32, and how many there are, a
    multiple of the lanes; below the floor |z| counts as the floor.
    """
    function = ir.Function(
        module, ir.FunctionType(ir.VoidType(), [F32.as_pointer(), F32.as_pointer(), I64]), name
    )
    function.linkage = "internal"
    norms, values, count = function.args
    b = ir.IRBuilder(function.append_basic_block("entry"))
    v = _Vectors(b, F32, lanes)
    entry, loop, end = b.block, function.append_basic_block("loop"), function.append_basic_block("end")
    zero = ir.Constant(I64, 0)
    b.cbranch(b.icmp_signed(">", count, zero), loop, end)
    b.position_at_end(loop)
    at = b.phi(I64)
    at.add_incoming(zero, entry)
    norm = v.load(b.bitcast(b.gep(norms, [at]), v.kind.as_pointer()))
    place = b.bitcast(b.gep(values, [at]), v.kind.as_pointer())
    modulus = v.larger(v.sqrt(norm), v.all(floor))
    sum_ = b.fadd(modulus, v.all(1.0))
    # What the sum's rounding lost; it matters only where the logarithm is small.
    lost = b.fsub(modulus, b.fsub(sum_, v.all(1.0)))
    lost = b.select(b.fcmp_ordered("<", modulus, v.all(1.0)), lost, v.all(0.0))
    logarithm = v.fma(lost, v.all(LOG2_COEFFICIENTS[0]), v.log2(sum_))
    b.store(b.fsub(v.load(place), v.log2(logarithm)), place, align=4)
    following = b.add(at, ir.Constant(I64, lanes))
    at.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, count), loop, end)
    b.position_at_end(end)
    b.ret_void()
    return function
