"""When a figure is good, and what the bench writes and prints."""

import json
from pathlib import Path

import pytest

from bench.figures import Figure, Verdict, from_json, table, timed, to_json, write
from bench.ratios import Interval, Ratio


def test_figures_are_a_list_with_ratio_goal_interval_verdict_and_how(tmp_path: Path) -> None:
    path = tmp_path / "results" / "bench.json"
    write([timed("a / b", Ratio(2.0, Interval(1.5, 2.5, 0.9)), 1.0, "in turn")], path)
    assert json.loads(path.read_text()) == {
        "format": "piray-bench",
        "format_version": 2,
        "figures": [
            {
                "name": "a / b",
                "ratio": 2.0,
                "goal": 1.0,
                "how": "in turn",
                "unit": "times",
                "interval": {"low": 1.5, "high": 2.5, "confidence": 0.9},
                "verdict": "good",
            }
        ],
    }


def test_figures_come_back_as_they_were_written() -> None:
    figures = [
        Figure("counts", 1.0, 1.0, "exact"),
        timed("a / b", Ratio(2.0, Interval(1.5, 2.5, 0.9)), 3, "x"),
    ]
    assert from_json(to_json(figures)) == figures


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.1, 1.3, Verdict.GOOD),
        # At the goal is good, so an interval that begins there is nowhere below it ...
        (1.0, 1.3, Verdict.GOOD),
        (0.99, 1.3, Verdict.TOO_NOISY),
        # ... and one that ends there may still be good.
        (0.8, 1.0, Verdict.TOO_NOISY),
        (0.8, 0.99, Verdict.OPEN),
    ],
)
def test_a_figure_is_good_or_open_only_where_the_whole_interval_is(
    low: float, high: float, verdict: Verdict
) -> None:
    assert timed("a", Ratio(1.0, Interval(low, high, 0.9)), 1.0, "x").verdict == verdict


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_a_single_pair_cannot_tell(ratio: float) -> None:
    assert timed("a", Ratio(ratio, Interval(ratio, ratio, 0.0)), 1.0, "x").verdict == Verdict.TOO_NOISY


def test_a_figure_below_its_goal_is_open_and_no_failure() -> None:
    lines = table([Figure("a", 0.5, 1.0, "x"), Figure("b", 1.0, 1.0, "x")]).splitlines()
    assert [line.split()[0] for line in lines] == ["open", "good"]


def test_a_line_says_the_verdict_the_interval_and_how_sure_it_is() -> None:
    noisy = timed("independent / Ray", Ratio(0.97, Interval(0.83, 1.06, 0.9375)), 0.95, "in turn")
    exact = Figure("resources", 1.0, 1.0, "counted")
    assert [" ".join(line.split()) for line in table([noisy, exact]).splitlines()] == [
        "too noisy to tell 0.97 of 0.95 0.83 to 1.06 (94 %) independent / Ray (in turn)",
        "good 1.00 of 1 exact resources (counted)",
    ]
