"""Writes the vector code that counts samples as LLVM's IR, and compiles it by Numba.

Needs `philox` and nothing else of this project: the π Job's pods have these two, but no cache of kernels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial, reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from workloads.pi import philox
from workloads.pi.philox import LOW, ROUNDS, Count, Words

NUMBER_BITS = 64
# Files whose contents decide about the machine code.
SOURCES = (__file__, philox.__file__)
# The types of `define_count`, with an address in place of the pointer.
SIGNATURE = "uint64(uint64, uint64, intp)"

# Compiles a function, at once and for SIGNATURE only.
Compiler = Callable[[Callable[..., Any]], Any]
compile_at_once: Compiler = njit(SIGNATURE, nogil=True)


@dataclass(frozen=True)
class Layout:
    """How words lie in vectors.

    Attributes:
        lanes: Words of one vector, a power of two.
        bits: Of a lane: 64 where a processor multiplies the lower half of each, 32 where it multiplies one
            half of the lanes and then the other.
        vectors: How many are in flight, so that one is computed while another waits for its last result.
    """

    lanes: int
    bits: int
    vectors: int = 4

    @property
    def samples(self) -> int:
        """Samples of all vectors in flight; a counter gives two."""
        return 2 * self.lanes * self.vectors

    @property
    def rounds(self) -> int:
        """Rounds after which every word is back in its lane."""
        return NUMBER_BITS // self.bits


def layout_for(features: Mapping[str, bool]) -> Layout:
    """Choose the layout for a processor by the features LLVM names for it."""
    if features.get("avx512f"):
        return Layout(8, 64)
    return Layout(4, 64) if features.get("avx2") else Layout(4, 32)


@cache
def layout_here() -> Layout:
    """Return the layout for the features that Numba compiles for, so that what it keeps on disk fits."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return layout_for({feature[1:]: feature[0] == "+" for feature in features.split(",") if feature})


@cache
def compile_count(layout: Layout, compiler: Compiler = compile_at_once) -> Count:
    """Return what counts as `philox.count_arrays` does, only positions with the same upper word.

    Args:
        layout: For the processor of this machine.
        compiler: What compiles, now; each is used once for a layout.
    """
    compiled = compiler(_entry(layout))

    def count(first: int, end: int, seed: int, stream: int) -> int:
        assert first >> 33 == max(first, end - 1) >> 33
        fills = (end - first) // layout.samples
        rest = first + fills * layout.samples
        num_inside = philox.count_arrays(rest, end, seed, stream)
        if fills:
            low, high = philox.words_of(np.uint64(first // 2))
            keys = [key for both in philox.round_keys(seed) for key in both]
            words = [high, *philox.words_of(np.uint64(stream)), *keys]
            shared = np.array(words, dtype=np.uint64 if layout.bits == NUMBER_BITS else np.uint32)
            num_inside += int(compiled(low, fills, shared.ctypes.data))
        return num_inside

    return count


def _entry(layout: Layout) -> Callable[[int, int, int], int]:
    """Return a function for Numba that calls `define_count`'s, with an address instead of the pointer."""

    @intrinsic
    def count(context, first, fills, shared):  # type: ignore[no-untyped-def]  # numba types it
        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            function = define_count(builder.module, "piray_count", layout)
            *numbers, address = arguments
            pointer = builder.inttoptr(address, function.args[-1].type)
            return builder.call(function, [*numbers, pointer])

        return types.uint64(types.uint64, types.uint64, types.intp), generate

    def run(first, fills, shared):  # type: ignore[no-untyped-def]  # Numba types it
        return count(first, fills, shared)  # type: ignore[call-arg]  # Numba adds the context

    return run


def define_count(module: Any, name: str, layout: Layout) -> Any:
    """Add the function that counts the samples of whole vectors of counters.

    Its arguments:

    - the lower word of the first position;
    - how often all vectors in flight are filled with new counters, at least once;
    - the address of what all lanes share, each as wide as a lane: the upper word of the positions, the
      two of the stream, and the keys of each round.
    """
    number = ir.IntType(NUMBER_BITS)
    kind = ir.FunctionType(number, [number, number, ir.IntType(layout.bits).as_pointer()])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    _Body(function, layout).define()
    return function


class _Lanes:
    """Words in the lanes of a vector of the function that is being written."""

    def __init__(self, builder: Any, layout: Layout, value: Any) -> None:
        self.builder, self.layout, self.value = builder, layout, value

    def __xor__(self, other: "_Lanes") -> "_Lanes":
        return self._with(self.builder.xor(self.value, other.value))

    def _with(self, value: Any) -> "_Lanes":
        return _Lanes(self.builder, self.layout, value)

    def multiply(self, factor: int, moved: bool) -> tuple["_Lanes", "_Lanes"]:
        """Return the upper and the lower word of each product.

        Lanes of 32 bits change places: those of lower words always, those of upper words only if `moved`.
        Alternately with and without, words that are combined meet again in the same lane. To keep all in
        their places takes UZP instead of TRN, by LLVM's model of a Cortex-A72 three times the work.
        """
        b = self.builder
        products = [b.mul(part, _all(part.type, factor)) for part in self.numbers()]
        if len(products) == 1:
            return self._with(b.lshr(products[0], _all(products[0].type, 32))), self._with(products[0])
        # Not by shifts and truncations: LLVM moves those to where they cost more.
        both = [b.bitcast(product, self.value.type) for product in products]
        lanes = self.layout.lanes
        across = [lane + side for lane in range(0, lanes, 2) for side in (0, lanes)]
        upper = [lane + 1 for lane in across] if moved else range(1, 2 * lanes, 2)
        return self._with(_choice(b, both, upper)), self._with(_choice(b, both, across))

    def numbers(self) -> list[Any]:
        """Return the words as numbers of 64 bits, in one vector or in two."""
        b, half = self.builder, self.layout.lanes // 2
        if self.value.type.element.width == NUMBER_BITS:
            return [b.and_(self.value, _all(self.value.type, int(LOW)))]
        wide = ir.VectorType(ir.IntType(NUMBER_BITS), half)
        both = [self.value, self.value]
        return [b.zext(_choice(b, both, range(at, at + half)), wide) for at in (0, half)]


class _Body:
    """The body of `define_count`; its variables are on the stack, from where LLVM moves them to registers."""

    def __init__(self, function: Any, layout: Layout) -> None:
        self.function, self.layout = function, layout
        self.first, self.fills, self.shared = function.args
        self.b = b = ir.IRBuilder(function.append_basic_block("entry"))
        self.word, self.number = ir.IntType(layout.bits), ir.IntType(NUMBER_BITS)
        self.kind = ir.VectorType(self.word, layout.lanes)
        self.left, self.index = b.alloca(self.number), b.alloca(self.number)
        self.low = b.alloca(self.kind)
        self.total = b.alloca(ir.VectorType(self.number, layout.lanes * layout.bits // NUMBER_BITS))
        self.counters = [[b.alloca(self.kind) for _ in range(4)] for _ in range(layout.vectors)]

    def define(self) -> None:
        """Write the whole function."""
        b = self.b
        fill, rounds, count, end = (
            self.function.append_basic_block(name) for name in ("fill", "rounds", "count", "end")
        )
        b.store(self.fills, self.left)
        b.store(_all(self.total.type.pointee, 0), self.total)
        begin = self._splat(b.trunc(self.first, self.word) if self.word.width < NUMBER_BITS else self.first)
        b.store(b.add(begin, ir.Constant(self.kind, list(range(self.layout.lanes)))), self.low)
        b.branch(fill)

        b.position_at_end(fill)
        self._fill()
        b.branch(rounds)

        b.position_at_end(rounds)
        self._rounds(self.layout.rounds)
        again = b.icmp_unsigned("<", b.load(self.index), ir.Constant(self.number, ROUNDS))
        self._keep_rolled(b.cbranch(again, rounds, count))

        b.position_at_end(count)
        self._count()
        left = b.sub(b.load(self.left), ir.Constant(self.number, 1))
        b.store(left, self.left)
        b.cbranch(b.icmp_unsigned(">", left, ir.Constant(self.number, 0)), fill, end)

        b.position_at_end(end)
        total = b.load(self.total)
        parts = [b.extract_element(total, ir.Constant(self.number, at)) for at in range(total.type.count)]
        b.ret(reduce(b.add, parts))

    def _fill(self) -> None:
        """Fill the counters, and do the first rounds: LLVM finds what is the same in them for all."""
        b = self.b
        same = [self._shared(ir.Constant(self.number, index)) for index in range(3)]
        for variables in self.counters:
            low = b.load(self.low)
            for value, variable in zip([low, *(each.value for each in same)], variables, strict=True):
                b.store(value, variable)
            b.store(b.add(low, _all(self.kind, self.layout.lanes)), self.low)
        b.store(ir.Constant(self.number, 0), self.index)
        self._rounds(2)

    def _rounds(self, rounds: int) -> None:
        """Do the next rounds, on all vectors in turn."""
        b = self.b
        for round_ in range(rounds):
            index = b.load(self.index)
            at = b.add(b.mul(index, ir.Constant(self.number, 2)), ir.Constant(self.number, 3))
            keys = self._shared(at), self._shared(b.add(at, ir.Constant(self.number, 1)))
            multiply = partial(_Lanes.multiply, moved=round_ % 2 == 1)
            for variables in self.counters:
                counter = philox.philox_round(self._loaded(variables), keys, multiply)
                for word, variable in zip(counter, variables, strict=True):
                    b.store(word.value, variable)
            b.store(b.add(index, ir.Constant(self.number, 1)), self.index)

    def _count(self) -> None:
        """Add how many of the samples lie inside, by the same test as NumPy's."""
        b = self.b
        for variables in self.counters:
            x0, y0, x1, y1 = (word.numbers() for word in self._loaded(variables))
            for x, y in zip([*x0, *x1], [*y0, *y1], strict=True):
                square = b.mul(x, x)
                inside = b.icmp_unsigned(">=", b.add(square, b.mul(y, y)), square)
                b.store(b.add(b.load(self.total), b.zext(inside, x.type)), self.total)

    def _loaded(self, variables: Sequence[Any]) -> Words:
        c0, c1, c2, c3 = (_Lanes(self.b, self.layout, self.b.load(variable)) for variable in variables)
        return c0, c1, c2, c3

    def _shared(self, index: Any) -> _Lanes:
        return _Lanes(self.b, self.layout, self._splat(self.b.load(self.b.gep(self.shared, [index]))))

    def _splat(self, value: Any) -> Any:
        """Return a vector with a word in each lane."""
        none = ir.Constant(self.kind, ir.Undefined)
        one = self.b.insert_element(none, value, ir.Constant(self.number, 0))
        return _choice(self.b, [one, none], [0] * self.layout.lanes)

    def _keep_rolled(self, branch: Any) -> None:
        """Forbid to unroll a loop: LLVM would then compute one vector after the other.

        Source: https://llvm.org/docs/LangRef.html#llvm-loop-unroll-disable-metadata; a loop's own metadata
        names itself first.
        """
        module = self.function.module
        word = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
        loop = module.add_metadata([word, word])
        loop.operands = (loop, word)
        branch.set_metadata("llvm.loop", loop)


def _all(kind: Any, number: int) -> Any:
    """Return a constant, the same in each lane."""
    return ir.Constant(kind, [number] * kind.count)


def _choice(builder: Any, pair: Sequence[Any], lanes: Sequence[int]) -> Any:
    """Return the chosen lanes of two vectors, those of the second counted on."""
    return builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes)))
