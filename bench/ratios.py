"""Decides how sure a measured ratio is: the median of pairs, and an interval that holds the true one.

A pair is two programs' values of the same round: what slows the machine for a minute slows both. The
interval is the sign test's, from one sorted pair to another, and assumes no distribution: of n independent
pairs as many lie above the true median as fair coins fall on heads. Standard library only: `bench.infra`
has to stay a small process.

Source: W. J. Conover, Practical Nonparametric Statistics (1999), section 3.2.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# At least this confidence, where there are pairs enough for it: five.
CONFIDENCE = 0.9


@dataclass(frozen=True)
class Interval:
    """Where the true median lies.

    Attributes:
        low: Lower end.
        high: Upper end.
        confidence: Probability that such an interval holds it; 0 for a single pair.
    """

    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class Ratio:
    """A ratio that scatters.

    Attributes:
        median: Of the pairs.
        interval: Of that median.
    """

    median: float
    interval: Interval


def of_values(values: Sequence[float]) -> Ratio:
    """Return the median of independent values: all of them, if they are too few to leave some out.

    Raises:
        statistics.StatisticsError: If there is no value.
    """
    median = statistics.median(values)
    ordered, count = sorted(values), len(values)
    # So many values are left out at each end.
    out = 0
    while _confidence(count, out + 1) >= CONFIDENCE:
        out += 1
    return Ratio(median, Interval(ordered[out], ordered[-1 - out], _confidence(count, out)))


def of_pairs(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Return the median of the pairs' ratios; value i of both is of the same round.

    Raises:
        ValueError: If one has more rounds than the other.
    """
    return of_values([one / other for one, other in zip(above, below, strict=True)])


def closeness(ratio: Ratio) -> Ratio:
    """Return how close to 1 a ratio is: itself or its inverse, whichever is smaller, and so its interval.

    The ends are folded and not the pairs: of pairs that scatter about 1, the smaller ones of themselves and
    their inverses would never have a median of 1.
    """
    low, high = ratio.interval.low, ratio.interval.high
    ends = [min(end, 1 / end) for end in (low, high)]
    highest = 1.0 if low <= 1 <= high else max(ends)
    return Ratio(min(ratio.median, 1 / ratio.median), Interval(min(ends), highest, ratio.interval.confidence))


def quotient(above: Ratio, below: Ratio) -> Ratio:
    """Divide ratios that were measured apart, so that there are no pairs of them.

    The interval goes from the smallest quotient of the ends to the largest one. Both hold theirs at once at
    least as often as the sum of their confidences less 1 (Bonferroni).
    """
    one, other = above.interval, below.interval
    confidence = max(0.0, one.confidence + other.confidence - 1)
    return Ratio(
        above.median / below.median, Interval(one.low / other.high, one.high / other.low, confidence)
    )


def _confidence(count: int, out: int) -> float:
    """Return how often the true median is between what is left of `count` values, `out` fewer at each end."""
    tail = sum(math.comb(count, index) for index in range(out + 1))
    return 1 - 2 * tail / math.pow(2, count)
