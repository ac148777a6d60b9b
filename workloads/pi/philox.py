"""Decides which samples a stream has, by Philox4x32-10, and counts them with NumPy; knows nothing of Numba.

Philox turns a counter of four words of 32 bits into four random words, which are two samples. Two words of
the counter are the stream, the other two the position in it, and the seed is the key: streams need nothing to
coordinate them. The samples of a stream depend on the seed and on the stream's index only, never on how many
streams there are, where they run, or what runs at the same time.

Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC11).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

# Some 0.1 s to 1 s of work for compiled code: between two batches the process can be interrupted.
BATCH_SAMPLES = 2**26
# Arrays of 256 KiB: about what the second-level cache of a Pi 4 holds of them.
ARRAY_SAMPLES = 2**16
MAX_SAMPLES = 10**12
# The largest seed, and the largest index of a stream.
MAX_KEY = 2**64 - 1
ROUNDS = 10
LOW = np.uint64(0xFFFFFFFF)

Words = tuple[Any, Any, Any, Any]
Multiply = Callable[[Any, int], tuple[Any, Any]]
# Counts from a first sample, which is even, to the one before an end; of a seed and a stream.
Count = Callable[[int, int, int, int], int]


def count_arrays(first: int, end: int, seed: int, stream: int) -> int:
    """Count the samples first…end-1 of a stream that lie within the quarter circle; first is even."""
    return sum(
        _count_array(at, min(at + ARRAY_SAMPLES, end), seed, stream)
        for at in range(first, end, ARRAY_SAMPLES)
    )


def count_inside(samples: int, seed: int, stream: int, count: Count = count_arrays) -> int:
    """Count the samples of one stream that lie within the quarter circle; releases the GIL.

    Sample k of a stream is the same however many samples are drawn, and by whom.

    Args:
        samples: Points to draw, 0 to MAX_SAMPLES.
        seed: Shared by all streams of one computation, 0 to 2**64 - 1.
        stream: Index of the stream, 0 to 2**64 - 1.
        count: How to count a batch of them; every way gives the same.

    Raises:
        ValueError: If an argument is out of range.
    """
    check_arguments(samples, seed, stream)
    # A counter gives two samples, so a batch begins with an even one.
    return sum(
        count(first, min(first + BATCH_SAMPLES, samples), seed, stream)
        for first in range(0, samples, BATCH_SAMPLES)
    )


def check_arguments(samples: int, seed: int, stream: int) -> None:
    """Refuse arguments of `count_inside` that are out of range, all of them at once.

    Raises:
        ValueError: One line for each.
    """
    limits = {"samples": (samples, MAX_SAMPLES), "seed": (seed, MAX_KEY), "stream": (stream, MAX_KEY)}
    problems = [
        f"{name} is {value!r}: choose a whole number from 0 to {limit}."
        for name, (value, limit) in limits.items()
        if not 0 <= value <= limit
    ]
    if problems:
        raise ValueError("\n".join(problems))


def random_words(counter: Words, seed: int) -> Words:
    """Return the four random words of a counter; their upper halves are not cleared."""
    for keys in round_keys(seed):
        counter = philox_round(counter, keys, _multiply)
    return counter


def philox_round(counter: Words, keys: tuple[Any, Any], multiply: Multiply) -> Words:
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


def round_keys(seed: int) -> list[tuple[np.uint64, np.uint64]]:
    """Return the two keys of each round."""
    return [
        (
            np.uint64((seed + index * 0x9E3779B9) % 2**32),
            np.uint64(((seed >> 32) + index * 0xBB67AE85) % 2**32),
        )
        for index in range(ROUNDS)
    ]


def words_of(number: Any) -> tuple[Any, Any]:
    """Return the lower and the upper word of a number of 64 bits, or of an array of them."""
    return number & LOW, number >> np.uint64(32)


def _count_array(first: int, end: int, seed: int, stream: int) -> int:
    positions = np.arange(first // 2, (end + 1) // 2, dtype=np.uint64)
    x0, y0, x1, y1 = random_words((*words_of(positions), *words_of(np.uint64(stream))), seed)
    odd = end % 2
    return int(np.count_nonzero(_inside(x0, y0)) + np.count_nonzero(_inside(x1, y1)[: positions.size - odd]))


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
