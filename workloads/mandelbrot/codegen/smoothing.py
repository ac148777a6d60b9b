"""Writes the vector code that turns what the blocks have found into smooth values, or into plain counts."""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from workloads.mandelbrot.codegen.vectors import F32, I32, I64, Vectors

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
_PARTS = ("head", "start", "column", "body", "whole", "part", "next_row", "end")


def define_smooth(module: ir.Module, name: str, lanes: int, floor: float) -> ir.Function:
    """Add the function that makes smooth values of |z|**2 and the last index: last - log2(log2(|z| + 1)).

    Its arguments: |z|**2, the index and the value, all float32; the distance of two rows of the former and
    of two rows of values, in bytes; how many rows, and how many pixels of each. It reads whole vectors, and
    writes over the indices where a vector is not whole. Below the floor |z| counts as the floor.
    """

    def smooth(v: Vectors, norm: Any, last: Any) -> Any:
        modulus = v.larger(v.sqrt(v.load(norm)), v.all(floor))
        return _minus_log2(v, _scaled_log2(v, modulus), v.load(last))

    return _define_each(module, name, lanes, F32, smooth)


def define_count(module: ir.Module, name: str, lanes: int) -> ir.Function:
    """Add the function that makes whole numbers (int32) of the last index; otherwise like `define_smooth`."""

    def count(v: Vectors, _: Any, last: Any) -> Any:
        return v.builder.fptosi(v.load(last), ir.VectorType(I32, lanes))

    return _define_each(module, name, lanes, I32, count)


def _define_each(
    module: ir.Module, name: str, lanes: int, result: Any, make: Callable[[Vectors, Any, Any], Any]
) -> ir.Function:
    """Add a function that makes a number of each |z|**2 and last index, vector by vector."""
    kinds = [F32.as_pointer(), F32.as_pointer(), result.as_pointer(), I64, I64, I64, I64]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "internal"
    _Each(function, lanes, result).define(make)
    return function


class _Each:
    """The loops of `_define_each`: over rows, and over the vectors of a row."""

    def __init__(self, function: ir.Function, lanes: int, result: Any) -> None:
        self.sources, self.values = function.args[:2], function.args[2]
        self.stride, self.values_stride, self.rows, self.count = function.args[3:]
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.v = Vectors(self.b, F32, lanes)
        self.results = ir.VectorType(result, lanes).as_pointer()
        self.row, self.at = self.b.alloca(I64), self.b.alloca(I64)
        self.to = {part: function.append_basic_block(part) for part in _PARTS}

    def define(self, make: Callable[[Vectors, Any, Any], Any]) -> None:
        """Write the whole function."""
        b, to = self.b, self.to
        b.store(ir.Constant(I64, 0), self.row)
        b.branch(to["head"])
        with b.goto_block(to["head"]):
            b.cbranch(b.icmp_signed("<", b.load(self.row), self.rows), to["start"], to["end"])
        with b.goto_block(to["start"]):
            b.store(ir.Constant(I64, 0), self.at)
            b.branch(to["column"])
        with b.goto_block(to["column"]):
            b.cbranch(b.icmp_signed("<", b.load(self.at), self.count), to["body"], to["next_row"])
        self._define_body(make)
        with b.goto_block(to["next_row"]):
            b.store(b.add(b.load(self.row), ir.Constant(I64, 1)), self.row)
            b.branch(to["head"])
        with b.goto_block(to["end"]):
            b.ret_void()

    def _define_body(self, make: Callable[[Vectors, Any, Any], Any]) -> None:
        """Write what is done to a vector; the last one of a row may be wider than what is left."""
        b, to, lanes = self.b, self.to, ir.Constant(I64, self.v.lanes)
        with b.goto_block(to["body"]):
            norm, last = (self._place(source, self.stride) for source in self.sources)
            value = self._place(self.values, self.values_stride)
            made = make(self.v, *(b.bitcast(source, self.v.kind.as_pointer()) for source in (norm, last)))
            left = b.sub(self.count, b.load(self.at))
            b.store(b.add(b.load(self.at), lanes), self.at)
            b.cbranch(b.icmp_signed("<=", lanes, left), to["whole"], to["part"])
        with b.goto_block(to["whole"]):
            b.store(made, b.bitcast(value, self.results), align=4)
            b.branch(to["column"])
        with b.goto_block(to["part"]):
            b.store(made, b.bitcast(last, self.results), align=4)
            copy = b.module.declare_intrinsic("llvm.memcpy", [value.type, last.type, I64])
            b.call(copy, [value, last, b.mul(left, ir.Constant(I64, 4)), ir.Constant(ir.IntType(1), 0)])
            b.branch(to["next_row"])

    def _place(self, base: Any, distance: Any) -> Any:
        """Return where the row's next number is."""
        b = self.b
        first = b.gep(b.bitcast(base, ir.IntType(8).as_pointer()), [b.mul(b.load(self.row), distance)])
        return b.gep(b.bitcast(first, base.type), [b.load(self.at)])


def _scaled_log2(v: Vectors, value: Any) -> Any:
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


def _minus_log2(v: Vectors, scaled: Any, last: Any) -> Any:
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


def _polynomial(v: Vectors, coefficients: Sequence[float], value: Any) -> Any:
    """Return a polynomial's value; the constant comes first."""
    result = v.all(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result = v.fma(result, value, v.all(coefficient))
    return result
