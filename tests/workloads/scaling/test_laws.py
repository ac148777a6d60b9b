"""Ratios, intervals and laws, on times whose law is known."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.scaling.laws import Interval, Timing, scaling


def timings(
    cores: tuple[int, ...],
    sigma: float,
    kappa: float = 0.0,
    scatter: float = 0.0,
    seed: int = 0,
) -> list[Timing]:
    """Times by the universal law; whole rounds are slow, and each value scatters."""
    random, rounds = np.random.default_rng(seed), 5
    slow = np.exp(random.normal(0, 0.3, rounds))
    rows = []
    for n in cores:
        law = (1 + sigma * (n - 1) + kappa * n * (n - 1)) / n
        rows.append(Timing(n, tuple((10 * law * slow * np.exp(random.normal(0, scatter, rounds))).tolist())))
    return rows


def holds(estimate: Interval, truth: float) -> bool:
    assert estimate.low is not None
    assert estimate.high is not None
    assert 0 <= estimate.low <= estimate.value <= estimate.high
    return estimate.low <= truth <= estimate.high


def test_a_slow_round_does_not_touch_the_efficiency() -> None:
    gains = scaling([Timing(1, (8.0, 80.0, 8.8)), Timing(4, (2.5, 25.0, 2.75))]).gains
    assert [gain.cores for gain in gains] == [1, 4]
    assert gains[0].efficiency.value == 1
    assert gains[1].speedup.value == pytest.approx(3.2)
    assert gains[1].efficiency.value == pytest.approx(0.8)
    assert gains[1].efficiency.low == pytest.approx(0.8)
    assert gains[1].efficiency.high == pytest.approx(0.8)


def test_the_interval_is_students_of_the_log_ratios() -> None:
    # Log ratios 0.6, 0.7, 0.8: standard error 0.1 / sqrt(3), Student's quantile for two degrees 4.3027.
    rows = [Timing(1, (1.0, 1.0, 1.0)), Timing(2, tuple(math.exp(-x) for x in (0.6, 0.7, 0.8)))]
    speedup = scaling(rows).gains[1].speedup
    half = 4.30265 * 0.1 / math.sqrt(3)
    assert speedup.value == pytest.approx(math.exp(0.7))
    assert speedup.low == pytest.approx(math.exp(0.7 - half), rel=1e-5)
    assert speedup.high == pytest.approx(math.exp(0.7 + half), rel=1e-5)


def test_one_round_gives_no_interval() -> None:
    result = scaling([Timing(1, (8.0,)), Timing(2, (4.4,))])
    assert result.gains[1].efficiency == Interval(8 / 8.8)
    serial = result.laws[0].parameters["serial"]
    assert (serial.low, serial.high) == (None, None)
    assert "no interval" in result.laws[0].note


def test_a_row_that_was_given_up_is_compared_by_the_rounds_it_has() -> None:
    gains = scaling([Timing(1, (8.0, 80.0)), Timing(2, (5.0,))]).gains
    assert gains[1].efficiency == Interval(8 / 5 / 2)


def test_efficiency_counts_from_the_fewest_cores() -> None:
    gains = scaling([Timing(9, (2.0,)), Timing(3, (5.0,))]).gains
    assert [gain.cores for gain in gains] == [3, 9]
    assert gains[1].speedup.value == pytest.approx(2.5)
    assert gains[1].efficiency.value == pytest.approx(2.5 / 3)


@given(st.floats(0, 0.9), st.floats(0, 0.05))
def test_exact_times_give_the_laws_parameters_back(sigma: float, kappa: float) -> None:
    law = scaling(timings((1, 2, 4, 8, 16), sigma, kappa)).laws[1]
    assert law.name == "usl"
    assert law.parameters["sigma"].value == pytest.approx(sigma, abs=1e-6)
    assert law.parameters["kappa"].value == pytest.approx(kappa, abs=1e-6)


@given(st.floats(0, 1), st.sampled_from([(1, 2), (1, 2, 3), (3, 6, 9)]))
def test_exact_times_give_amdahls_serial_fraction_back(serial: float, cores: tuple[int, ...]) -> None:
    law = scaling(timings(cores, serial)).laws[0]
    assert law.name == "amdahl"
    assert law.parameters["serial"].value == pytest.approx(serial, abs=1e-6)


@given(st.floats(0, 1))
def test_weak_scaling_gives_gustafsons_serial_fraction_back(serial: float) -> None:
    rows = [Timing(n, (10 * n / (n - serial * (n - 1)),) * 2) for n in (1, 2, 4)]
    result = scaling(rows, "weak")
    assert [law.name for law in result.laws] == ["gustafson"]
    assert result.laws[0].parameters["serial"].value == pytest.approx(serial, abs=1e-6)
    assert result.gains[2].speedup.value == pytest.approx(4 - 3 * serial)
    assert result.gains[2].efficiency.value == pytest.approx((4 - 3 * serial) / 4)


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    tries, found = 100, {"serial": 0, "sigma": 0, "kappa": 0, "efficiency": 0}
    for seed in range(tries):
        found["serial"] += holds(
            scaling(timings((1, 2, 4, 8), 0.05, 0, 0.02, seed)).laws[0].parameters["serial"], 0.05
        )
        result = scaling(timings((1, 2, 4, 8), 0.1, 0.01, 0.02, seed))
        found["sigma"] += holds(result.laws[1].parameters["sigma"], 0.1)
        found["kappa"] += holds(result.laws[1].parameters["kappa"], 0.01)
        found["efficiency"] += holds(result.gains[1].efficiency, 1 / 1.12)
    # 95 are expected; below 88 or so the intervals are too narrow.
    assert all(count >= 88 for count in found.values()), found


def test_better_than_linear_is_no_negative_fraction() -> None:
    for law in scaling(timings((1, 2, 4, 8), -0.03, 0.0, 0.01)).laws:
        for estimate in law.parameters.values():
            assert estimate.value == 0
            assert estimate.low == 0
        assert "at 0" in law.note


@pytest.mark.parametrize(("rows", "determined"), [(1, []), (2, ["amdahl"]), (3, ["amdahl", "usl"])])
def test_as_many_rows_as_parameters_determine_nothing(rows: int, determined: list[str]) -> None:
    laws = scaling(timings((1, 2, 4)[:rows], 0.05)).laws
    assert [law.name for law in laws if law.parameters] == determined
    for law in laws:
        if not law.parameters:
            assert law.note.startswith("not determined")


def test_a_law_with_no_row_to_spare_says_that_it_was_not_tested() -> None:
    amdahl, universal = scaling(timings((1, 2, 4), 0.05)).laws
    assert "cannot be seen" not in amdahl.note
    assert "cannot be seen" in universal.note


def test_it_goes_through_json() -> None:
    values = scaling(timings((1, 2, 4), 0.05)).to_dict()
    assert json.loads(json.dumps(values))["gains"][1]["cores"] == 2


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [Timing(1, ())],
        [Timing(1, (0.0,))],
        [Timing(0, (1.0,))],
        [Timing(1, (math.nan,))],
        [Timing(2, (1.0,)), Timing(2, (1.0,))],
    ],
)
def test_rows_that_say_nothing_are_refused(rows: list[Timing]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        scaling(rows)
