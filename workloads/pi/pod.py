"""Estimates π from random samples; also the program of one index of the π Job, as a file of its own.

In a pod this file is run as a plain script beside an interpreter and NumPy, so it imports nothing of this
project; Numba is used where there is one, for the same counts. The samples of an index depend on the seed and
on the index only, never on how many indices there are, where they run, or what runs at the same time.
"""

import json
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial, reduce
from pathlib import Path
from typing import Any

import numpy as np

try:
    from llvmlite import ir
    from numba import njit, types
    from numba.core.registry import cpu_target
    from numba.extending import intrinsic
except ImportError:
    # Ray's official image has none.
    njit = None  # type: ignore[assignment]  # the module's type has no "absent"

# Some 0.1 s to 1 s of work: between two batches the process can be interrupted.
BATCH_SAMPLES = 2**26
# Arrays of 256 KiB: about what the second-level cache of a Pi 4 holds of them.
ARRAY_SAMPLES = 2**16
MAX_SAMPLES = 10**12
# Two words of Philox's counter are the stream, the other two the position in it; its key is the seed.
MAX_KEY = 2**64 - 1
ROUNDS = 10
LOW = np.uint64(0xFFFFFFFF)
NUMBER_BITS = 64
# Kubernetes truncates a longer message, which would no longer be JSON.
# https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
MAX_TERMINATION_MESSAGE = 4096
DEFAULT_TERMINATION_LOG = "/dev/termination-log"
# Of `define_count`, with an address for the pointer.
SIGNATURE = "uint64(uint64, uint64, intp)"
# Compiles at once; `pi_kernel` puts in its place what also keeps the result on disk.
compiler: Any = None if njit is None else njit(SIGNATURE, nogil=True)

Words = tuple[Any, Any, Any, Any]
Multiply = Callable[[Any, int], tuple[Any, Any]]
# Of the samples from a first one, an even one, to an end, of a seed and a stream.
Count = Callable[[int, int, int, int], int]


@dataclass(frozen=True)
class Estimate:
    """A count of samples, and what it says about π.

    Attributes:
        samples: Points drawn uniformly from the unit square, at least 1.
        num_inside: How many of them lie within the quarter circle of radius 1.

    Raises:
        ValueError: If the counts contradict each other.
    """

    samples: int
    num_inside: int

    def __post_init__(self) -> None:
        """Refuse counts that no computation can have."""
        if self.samples < 1 or not 0 <= self.num_inside <= self.samples:
            raise ValueError(
                f"{self.num_inside} of {self.samples} samples inside: there must be at least one sample, and "
                "no more of them inside than there are."
            )

    @property
    def estimate(self) -> float:
        """Estimate of π: four times the share inside."""
        return 4.0 * self.num_inside / self.samples

    @property
    def standard_error(self) -> float:
        """Standard error of the estimate, exact: the count is binomial with p = π/4.

        4 sqrt(p (1 - p) / n) = sqrt(π (4 - π) / n). With p taken from the data, one sample would give 0.
        """
        return math.sqrt(math.pi * (4.0 - math.pi) / self.samples)

    @property
    def deviation(self) -> float:
        """Distance from the estimate to π in standard errors; above 4 only once in about 16 000 runs."""
        return abs(self.estimate - math.pi) / self.standard_error

    @classmethod
    def merge(cls, estimates: Iterable["Estimate"]) -> "Estimate":
        """Combine counts of different streams, in any order.

        Raises:
            ValueError: If there is none.
        """
        parts = list(estimates)
        return cls(sum(part.samples for part in parts), sum(part.num_inside for part in parts))


def count_inside(samples: int, seed: int, stream: int) -> int:
    """Count the samples of one stream that lie within the quarter circle; releases the GIL.

    Philox is counter-based: streams are different parts of one sequence of 2**128 blocks, with nothing to
    coordinate. Sample k of a stream is the same however many samples are drawn, and by whom.

    Args:
        samples: Points to draw, 0 to MAX_SAMPLES.
        seed: Shared by all streams of one computation, 0 to 2**64 - 1.
        stream: Index of the stream, 0 to 2**64 - 1.

    Raises:
        ValueError: If an argument is out of range.
    """
    _check_arguments(samples, seed, stream)
    count, batch = (
        (_count_arrays, ARRAY_SAMPLES) if njit is None else (_count_vectors(_layout()), BATCH_SAMPLES)
    )
    num_inside = 0
    # A block of Philox holds two samples, so a batch begins with an even one.
    for first in range(0, samples, batch):
        num_inside += count(first, min(first + batch, samples), seed, stream)
    return num_inside


def warm_up() -> float:
    """Compile in this process; return the seconds it took."""
    begin = time.perf_counter()
    count_inside(2 if njit is None else _layout().samples, 0, 0)
    return time.perf_counter() - begin


def _round(counter: Words, keys: tuple[Any, Any], multiply: Multiply) -> Words:
    """Return a counter after one round of Philox4x32; runs on NumPy's arrays, and writes the vector code.

    Args:
        counter: Four words of 32 bits.
        keys: The two of this round.
        multiply: Returns the upper and the lower word of a product.
    """
    c0, c1, c2, c3 = counter
    upper0, lower0 = multiply(c0, 0xD2511F53)
    upper2, lower2 = multiply(c2, 0xCD9E8D57)
    return upper2 ^ (c1 ^ keys[0]), lower2, upper0 ^ (c3 ^ keys[1]), lower0


def _round_keys(seed: int) -> list[tuple[np.uint64, np.uint64]]:
    """Return the two keys of each round."""
    return [
        (
            np.uint64((seed + index * 0x9E3779B9) % 2**32),
            np.uint64(((seed >> 32) + index * 0xBB67AE85) % 2**32),
        )
        for index in range(ROUNDS)
    ]


def _philox(counter: Words, seed: int) -> Words:
    """Return the four random words of a counter, by Philox4x32-10; their upper halves are not cleared.

    Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC11).
    """
    for keys in _round_keys(seed):
        counter = _round(counter, keys, _multiply)
    return counter


def _multiply(words: Any, factor: int) -> tuple[Any, Any]:
    product = (words & LOW) * np.uint64(factor)
    return product >> np.uint64(32), product


def _inside(x: Any, y: Any) -> Any:
    """Return whether x**2 + y**2 < 2**64 for two random words.

    The lower edge of a cell of 2**-32 stands for the cell: a bias of some 1e-10, which no sample size shows.
    """
    x, y = x & LOW, y & LOW
    # A sum that overflows is smaller than its parts.
    return x * x + y * y >= x * x


def _count_arrays(first: int, end: int, seed: int, stream: int) -> int:
    """Count the samples first…end-1 of a stream that lie inside, with NumPy; first is even."""
    blocks = np.arange(first // 2, (end + 1) // 2, dtype=np.uint64)
    x0, y0, x1, y1 = _philox((*_words(blocks), *_words(np.uint64(stream))), seed)
    odd = end % 2
    return int(np.count_nonzero(_inside(x0, y0)) + np.count_nonzero(_inside(x1, y1)[: blocks.size - odd]))


def _words(number: Any) -> tuple[Any, Any]:
    """Return the lower and the upper 32 bits of a number of 64, or of an array of them."""
    return number & LOW, number >> np.uint64(32)


def _count_vectors(layout: "Layout") -> Count:
    """Return what counts as `_count_arrays` does, blocks whose numbers have the same upper word; compiles."""
    compiled = _compiled(layout)

    def count(first: int, end: int, seed: int, stream: int) -> int:
        assert first >> 33 == max(first, end - 1) >> 33
        steps = (end - first) // layout.samples
        rest = first + steps * layout.samples
        num_inside = _count_arrays(rest, end, seed, stream) if rest < end else 0
        if steps:
            low, high = _words(np.uint64(first // 2))
            words = [high, *_words(np.uint64(stream)), *(key for keys in _round_keys(seed) for key in keys)]
            shared = np.array(words, dtype=np.uint64 if layout.bits == NUMBER_BITS else np.uint32)
            num_inside += int(compiled(low, steps, shared.ctypes.data))
        return num_inside

    return count


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
        """Samples of all vectors in flight; a block holds two."""
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
def _layout() -> Layout:
    """Return the layout for the features that Numba compiles for, so that what it keeps on disk fits."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return layout_for({feature[1:]: feature[0] == "+" for feature in features.split(",") if feature})


@cache
def _compiled(layout: Layout) -> Callable[[int, int, int], int]:
    """Return `define_count` for addresses instead of pointers; compiles."""

    @intrinsic
    def count(context, first, steps, shared):  # type: ignore[no-untyped-def]  # numba types it
        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            function = define_count(builder.module, "piray_count", layout)
            *numbers, address = arguments
            pointer = builder.inttoptr(address, function.args[-1].type)
            return builder.call(function, [*numbers, pointer])

        return types.uint64(types.uint64, types.uint64, types.intp), generate

    @compiler
    def run(first, steps, shared):  # type: ignore[no-untyped-def]
        return count(first, steps, shared)  # type: ignore[call-arg]  # Numba adds the context

    compiled: Callable[[int, int, int], int] = run
    return compiled


def define_count(module: Any, name: str, layout: Layout) -> Any:
    """Add the function that counts the samples of whole vectors of blocks.

    Its arguments: the lower word of the first block's number, how often all vectors in flight are filled, at
    least once, and the address of what all lanes share, each as wide as a lane: the upper word of the blocks'
    numbers, the two of the stream, and the keys of each round.
    """
    number = ir.IntType(NUMBER_BITS)
    kind = ir.FunctionType(number, [number, number, ir.IntType(layout.bits).as_pointer()])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    _Count(function, layout).define()
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


class _Count:
    """The body of `define_count`; its variables are on the stack, from where LLVM moves them to registers."""

    def __init__(self, function: Any, layout: Layout) -> None:
        self.function, self.layout = function, layout
        self.first, self.steps, self.shared = function.args
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
        step, round_, count, end = (
            self.function.append_basic_block(name) for name in ("step", "round", "count", "end")
        )
        b.store(self.steps, self.left)
        b.store(_all(self.total.type.pointee, 0), self.total)
        begin = self._splat(b.trunc(self.first, self.word) if self.word.width < NUMBER_BITS else self.first)
        b.store(b.add(begin, ir.Constant(self.kind, list(range(self.layout.lanes)))), self.low)
        b.branch(step)

        b.position_at_end(step)
        self._begin()
        b.branch(round_)

        b.position_at_end(round_)
        self._rounds(self.layout.rounds)
        again = b.icmp_unsigned("<", b.load(self.index), ir.Constant(self.number, ROUNDS))
        self._keep_rolled(b.cbranch(again, round_, count))

        b.position_at_end(count)
        self._count()
        left = b.sub(b.load(self.left), ir.Constant(self.number, 1))
        b.store(left, self.left)
        b.cbranch(b.icmp_unsigned(">", left, ir.Constant(self.number, 0)), step, end)

        b.position_at_end(end)
        total = b.load(self.total)
        parts = [b.extract_element(total, ir.Constant(self.number, at)) for at in range(total.type.count)]
        b.ret(reduce(b.add, parts))

    def _begin(self) -> None:
        """Fill the counters and do the rounds of which LLVM finds parts that are the same for all blocks."""
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
                counter = _round(self._loaded(variables), keys, multiply)
                for word, variable in zip(counter, variables, strict=True):
                    b.store(word.value, variable)
            b.store(b.add(index, ir.Constant(self.number, 1)), self.index)

    def _count(self) -> None:
        """Add what `_inside` says of the words."""
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


def count_inside_python(samples: int, seed: int, stream: int) -> int:
    """Count as the fifth write-up does, in pure Python: the comparison for `count_inside`, on other samples.

    Args:
        samples: Points to draw, 0 to MAX_SAMPLES.
        seed: Shared by all streams of one computation, 0 to 2**64 - 1.
        stream: Index of the stream, 0 to 2**64 - 1.

    Raises:
        ValueError: If an argument is out of range.
    """
    _check_arguments(samples, seed, stream)
    generator = random.Random(seed << 64 | stream)
    num_inside = 0
    for _ in range(samples):
        x, y = generator.random(), generator.random()
        if x**2 + y**2 <= 1:
            num_inside += 1
    return num_inside


def main(environment: Mapping[str, str] | None = None) -> int:
    """Compute one index of the π Job and leave its count in the pod's termination message.

    Args:
        environment: PIRAY_PI_SAMPLES, PIRAY_PI_SEED, JOB_COMPLETION_INDEX and, optional,
            PIRAY_TERMINATION_LOG; the process environment if not given.

    Returns:
        Exit code: 0, 1 if the result cannot be written, 2 if the environment is wrong.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    samples = _number(environment, "PIRAY_PI_SAMPLES", 1, MAX_SAMPLES, problems)
    seed = _number(environment, "PIRAY_PI_SEED", 0, MAX_KEY, problems)
    index = _number(environment, "JOB_COMPLETION_INDEX", 0, MAX_KEY, problems)
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 2
    termination_log = Path(environment.get("PIRAY_TERMINATION_LOG") or DEFAULT_TERMINATION_LOG)
    warm_up()
    begin = time.perf_counter()
    try:
        # Opened before the work: minutes of it must not end in a file that cannot be written.
        with termination_log.open("w", encoding="ascii") as log:
            result = Estimate(samples, count_inside(samples, seed, index))
            wall_s = time.perf_counter() - begin
            log.write(_message(index, result, wall_s))
    except OSError as error:
        print(
            f"Cannot write the result to {termination_log}: {error.strerror}. "
            "Set PIRAY_TERMINATION_LOG to a file that can be written.",
            file=sys.stderr,
        )
        return 1
    print(
        f"index {index}: pi is about {result.estimate:.6f} +- {result.standard_error:.6f} "
        f"({result.num_inside} of {samples} samples inside, {wall_s:.2f} s)"
    )
    return 0


def _message(index: int, result: Estimate, wall_s: float) -> str:
    """Return the termination message: one line of JSON."""
    record = {
        "index": index,
        "samples": result.samples,
        "num_inside": result.num_inside,
        "wall_s": round(wall_s, 6),
    }
    message = json.dumps(record) + "\n"
    assert len(message) <= MAX_TERMINATION_MESSAGE
    return message


def _check_arguments(samples: int, seed: int, stream: int) -> None:
    limits = {"samples": (samples, MAX_SAMPLES), "seed": (seed, MAX_KEY), "stream": (stream, MAX_KEY)}
    problems = [
        f"{name} is {value!r}: choose a whole number from 0 to {limit}."
        for name, (value, limit) in limits.items()
        if not 0 <= value <= limit
    ]
    if problems:
        raise ValueError("\n".join(problems))


def _number(environment: Mapping[str, str], name: str, least: int, most: int, problems: list[str]) -> int:
    """Read a whole number; on a bad one add a line to `problems` and return `least`."""
    text = environment.get(name)
    rule = f"set it to a whole number from {least} to {most}"
    if text is None:
        problems.append(f"{name} is not set: {rule}.")
    elif not (
        text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most
    ):
        problems.append(f"{name} is {text[:80]!r}: {rule}.")
    else:
        return int(text)
    return least


if __name__ == "__main__":
    sys.exit(main())
