"""Estimates π from random samples; also the program of one index of the π Job, as a file of its own.

In a pod this file is run as a plain script beside an interpreter and NumPy and nothing else, so it imports
nothing of this project. The samples of an index depend on the seed and on the index only, never on how many
indices there are, where they run, or what runs at the same time.
"""

import json
import math
import os
import random
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# A batch of 1 MiB stays in the second-level cache of a Pi 4 and bounds the memory whatever the sample count.
BATCH_SAMPLES = 2**16
MAX_SAMPLES = 10**12
# The key of Philox is 2 x 64 bits: one word for the seed, one for the stream.
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
    """Count the samples of one stream that lie within the quarter circle.

    Philox is counter-based: two different keys give independent streams, with nothing to coordinate. Sample k
    of a stream is the same however many samples are drawn.

    Args:
        samples: Points to draw, 0 to MAX_SAMPLES.
        seed: Shared by all streams of one computation, 0 to 2**64 - 1.
        stream: Index of the stream, 0 to 2**64 - 1.

    Raises:
        ValueError: If an argument is out of range.

    Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC11).
    """
    _check_arguments(samples, seed, stream)
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))
    batch = np.empty(2 * min(samples, BATCH_SAMPLES))
    num_inside = 0
    while samples > 0:
        drawn = min(samples, BATCH_SAMPLES)
        coordinates = batch[: 2 * drawn]
        generator.random(out=coordinates)
        np.square(coordinates, out=coordinates)
        num_inside += int(np.count_nonzero(coordinates[0::2] + coordinates[1::2] <= 1.0))
        samples -= drawn
    return num_inside


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
