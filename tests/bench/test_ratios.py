"""How sure a ratio of pairs is; fixed numbers, and nothing is timed."""

import random
import statistics

import pytest

from bench.ratios import Interval, Ratio, closeness, of_pairs, of_values, quotient


@pytest.mark.parametrize(
    ("count", "ends", "confidence"),
    [
        # Of n fair coins less than k fall on heads, or on tails, with this probability less than 1.
        (1, (1, 1), 0.0),
        (2, (1, 2), 0.5),
        (3, (1, 3), 0.75),
        (5, (1, 5), 1 - 2 / 32),
        (7, (1, 7), 1 - 2 / 128),
        (8, (2, 7), 1 - 2 * 9 / 256),
        (9, (2, 8), 1 - 2 * 10 / 512),
        (11, (3, 9), 1 - 2 * 67 / 2048),
    ],
)
def test_an_interval_leaves_out_as_many_pairs_as_its_confidence_allows(
    count: int, ends: tuple[int, int], confidence: float
) -> None:
    values = [float(value) for value in range(count, 0, -1)]
    assert of_values(values) == Ratio((count + 1) / 2, Interval(*ends, confidence))


def test_one_slow_round_of_nine_moves_neither_the_median_nor_the_interval() -> None:
    quiet = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08]
    assert of_values([*quiet[:-1], 5.0]) == of_values(quiet)


def test_what_slows_both_programs_of_a_round_is_in_no_ratio() -> None:
    ours, theirs = [1.0, 1.0, 3.0, 1.0, 2.0], [2.0, 2.0, 6.0, 2.0, 4.0]
    assert of_pairs(theirs, ours) == Ratio(2.0, Interval(2.0, 2.0, 0.9375))


def test_programs_of_different_rounds_make_no_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        of_pairs([1.0, 2.0], [1.0])


def test_the_true_median_is_in_the_interval_as_often_as_it_says() -> None:
    draw = random.Random(7)
    # Skewed, as times are; its median is 1.
    found = [of_values([draw.lognormvariate(0, 0.3) for _ in range(9)]).interval for _ in range(2000)]
    held = statistics.mean(interval.low <= 1 <= interval.high for interval in found)
    assert held == pytest.approx(found[0].confidence, abs=0.02)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0.8, 0.96), (0.8, 0.96)),
        ((1.25, 2.0), (0.5, 0.8)),
        ((0.8, 1.1), (0.8, 1.0)),
        ((0.9, 2.0), (0.5, 1.0)),
        ((1.0, 1.0), (1.0, 1.0)),
    ],
)
def test_closeness_is_highest_where_the_interval_holds_1(
    ends: tuple[float, float], expected: tuple[float, float]
) -> None:
    found = closeness(Ratio(ends[1], Interval(*ends, 0.9))).interval
    assert (found.low, found.high, found.confidence) == (*map(pytest.approx, expected), 0.9)


def test_closeness_of_a_ratio_above_1_is_its_inverse() -> None:
    assert closeness(Ratio(1.25, Interval(1.0, 2.0, 0.9))).median == 0.8


def test_a_quotient_of_two_intervals_is_as_wide_as_both_and_less_sure() -> None:
    above, below = Ratio(0.8, Interval(0.6, 0.9, 0.95)), Ratio(1.0, Interval(0.9, 1.2, 0.96))
    found = quotient(above, below)
    assert (found.median, found.interval.low, found.interval.high) == (0.8, 0.5, 1.0)
    assert found.interval.confidence == pytest.approx(0.91)
