"""Counts samples in pure Python, as an exercise for classes does: what the kernel is compared with.

The samples are other ones, so the counts differ; only speed and error can be compared.
"""

import random

from workloads.pi.philox import check_arguments


def count_inside_python(samples: int, seed: int, stream: int) -> int:
    """Count the samples of one stream that lie within the quarter circle, one by one.

    Args:
        samples: Points to draw, 0 to MAX_SAMPLES.
        seed: Shared by all streams of one computation, 0 to 2**64 - 1.
        stream: Index of the stream, 0 to 2**64 - 1.

    Raises:
        ValueError: If an argument is out of range.
    """
    check_arguments(samples, seed, stream)
    generator = random.Random(seed << 64 | stream)
    num_inside = 0
    for _ in range(samples):
        x, y = generator.random(), generator.random()
        if x**2 + y**2 <= 1:
            num_inside += 1
    return num_inside
