"""Vectors as LLVM's IR has them, the same for every processor, and how many of them suit one.

Numba's own vectoriser leaves a loop that ends early in scalar code, so `block` and `smoothing` write theirs
with these.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

I32, I64 = ir.IntType(32), ir.IntType(64)
F32, F64 = ir.FloatType(), ir.DoubleType()


@dataclass(frozen=True)
class Shape:
    """What a block is made of.

    Attributes:
        lanes: Pixels of one vector, a power of two.
        rows: Vectors of a block: as many as hide the latency of the arithmetic and fit in the registers.
        preview: Whether to iterate in float32 instead of float64.
        adders: Whether additions have units of their own, so that doubling by an addition costs nothing.
        blind_updates: Updates between two looks at pixels that have lasted so long that they will hardly
            escape soon; even.
    """

    lanes: int
    rows: int
    preview: bool = False
    adders: bool = False
    blind_updates: int = 4


def shape_for(features: Mapping[str, bool], preview: bool = False, cpu: str = "") -> Shape:
    """Choose the shape for a processor by the features and the name that LLVM has for it."""
    if features.get("avx512f"):
        bits, rows = 512, 8
    elif features.get("avx2"):
        bits, rows = 256, 4
    else:
        bits, rows = 128, 8
    # On a Zen 4 additions and multiply-adds in turn were measured to run at 1.95 a cycle, each alone at 1.
    return Shape(bits // (32 if preview else 64), rows, preview, adders=cpu.startswith("znver"))


class Vectors:
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

    def any_of(self, masks: Sequence[Any]) -> Any:
        """Return whether any pixel is in a mask."""
        return self.any(functools.reduce(self.builder.or_, masks))

    def all_of(self, masks: Sequence[Any]) -> Any:
        """Return whether every pixel is in its mask."""
        return self.builder.not_(self.any(self.builder.not_(functools.reduce(self.builder.and_, masks))))

    def load(self, address: Any, align: int = 4) -> Any:
        """Load a vector."""
        return self.builder.load(address, align=align)
