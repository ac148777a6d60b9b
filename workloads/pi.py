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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

try:
    from numba import njit, types
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
# Kubernetes truncates a longer message, which would no longer be JSON.
# https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
MAX_TERMINATION_MESSAGE = 4096
DEFAULT_TERMINATION_LOG = "/dev/termination-log"


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
    count, batch = (_count_arrays, ARRAY_SAMPLES) if njit is None else (_compiled(), BATCH_SAMPLES)
    num_inside = 0
    # A block of Philox holds two samples, so a batch begins with an even one.
    for first in range(0, samples, batch):
        num_inside += int(count(first, min(first + batch, samples), seed, stream))
    return num_inside


def warm_up() -> float:
    """Compile in this process; return the seconds it took."""
    begin = time.perf_counter()
    count_inside(4, 0, 0)
    return time.perf_counter() - begin


def _philox(  # noqa: PLR0917  # four words of the counter, two of the key
    c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any
) -> tuple[Any, Any, Any, Any]:
    """Return the four random words of a counter and a key, by Philox4x32-10.

    The upper halves of the returned words are not cleared. A product needs 32 x 32 -> 64 bits only, which any
    vector unit has.

    Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC11).
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        first = (c0 & low) * np.uint64(0xD2511F53)
        second = (c2 & low) * np.uint64(0xCD9E8D57)
        c0, c1 = (second >> half) ^ c1 ^ k0, second
        c2, c3 = (first >> half) ^ c3 ^ k1, first
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1, c2, c3


def _inside(x: Any, y: Any) -> Any:
    """Return whether x**2 + y**2 < 2**64 for two random words.

    The lower edge of a cell of 2**-32 stands for the cell: a bias of some 1e-10, which no sample size shows.
    """
    low = np.uint64(0xFFFFFFFF)
    x, y = x & low, y & low
    # A sum that overflows is smaller than its parts.
    return x * x + y * y >= x * x


def _count_arrays(first: int, end: int, seed: int, stream: int) -> int:
    """Count the samples first…end-1 of a stream that lie inside, with NumPy; first is even."""
    blocks = np.arange(first // 2, (end + 1) // 2, dtype=np.uint64)
    x0, y0, x1, y1 = _philox(*_words(blocks), *_words(np.uint64(stream)), *_words(np.uint64(seed)))
    odd = end % 2
    return int(np.count_nonzero(_inside(x0, y0)) + np.count_nonzero(_inside(x1, y1)[: blocks.size - odd]))


def _words(number: Any) -> tuple[Any, Any]:
    """Return the lower and the upper 32 bits of a number of 64, or of an array of them."""
    return number & np.uint64(0xFFFFFFFF), number >> np.uint64(32)


@cache
def _compiled() -> Callable[[int, int, int, int], int]:
    """Return what does the same as `_count_arrays` by Numba; compiles."""

    @intrinsic
    def use_whole_vectors(context):  # type: ignore[no-untyped-def]  # numba types it
        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            # LLVM would use half of each AVX-512 register; llvmlite's own add knows no such attribute.
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
            return context.get_dummy_value()

        return types.void(), generate

    philox, inside, words = (njit(inline="always")(part) for part in (_philox, _inside, _words))

    @njit("uint64(uint64, uint64, uint64, uint64)", nogil=True)
    def count(first, end, seed, stream):  # type: ignore[no-untyped-def]
        use_whole_vectors()  # type: ignore[call-arg]  # Numba adds the context
        k0, k1 = words(seed)
        c2, c3 = words(stream)
        num_inside = np.uint64(0)
        for block in range(first >> np.uint64(1), end >> np.uint64(1)):
            c0, c1 = words(block)
            x0, y0, x1, y1 = philox(c0, c1, c2, c3, k0, k1)
            num_inside += np.uint64(inside(x0, y0)) + np.uint64(inside(x1, y1))
        if end & np.uint64(1):
            c0, c1 = words(end >> np.uint64(1))
            x0, y0, _, _ = philox(c0, c1, c2, c3, k0, k1)
            num_inside += np.uint64(inside(x0, y0))
        return num_inside

    compiled: Callable[[int, int, int, int], int] = count
    return compiled


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
