"""What the benchmark writes, how it times, and that it refuses a wrong answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import distribution, kernels, race
from bench.figures import Figure, WrongAnswer, table, write
from bench.timing import best_sums
from workloads import kernel


def test_figures_are_a_list_with_ratio_goal_and_how(tmp_path: Path) -> None:
    path = tmp_path / "results" / "bench.json"
    write([Figure("a / b", 2.0, 1.0, "in turn")], path)
    assert json.loads(path.read_text()) == {
        "figures": [{"name": "a / b", "ratio": 2.0, "goal": 1.0, "how": "in turn", "unit": "times"}]
    }


def test_a_figure_below_its_goal_is_open_and_no_failure() -> None:
    lines = table([Figure("a", 0.5, 1.0, "x"), Figure("b", 1.0, 1.0, "x")]).splitlines()
    assert [line.split()[0] for line in lines] == ["open", "good"]


def test_programs_take_turns_part_by_part() -> None:
    calls: list[str] = []
    parts = {name: [lambda n=name, i=i: calls.append(f"{n}{i}") for i in range(2)] for name in "ab"}
    seconds = best_sums(parts, repeats=2)
    assert calls == ["a0", "b0", "a0", "b0", "a1", "b1", "a1", "b1"]
    assert all(value > 0 for value in seconds.values())


def test_a_wrong_picture_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> None:
        arguments[-1].fill(np.nan)

    monkeypatch.setattr(kernels, "SIDE", 64)
    monkeypatch.setattr(kernel, "smooth_values", wrong)
    with pytest.raises(WrongAnswer, match="kernel: a pixel of band 0"):
        kernels.mandelbrot()


@pytest.mark.ray
def test_a_race_on_two_cores_draws_one_picture_and_times_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "SPEC", {"rounds": {"0.02": 2}, "sides": [128, 256]})
    found = distribution.race()
    (picture,) = found["pictures"]
    times = picture["times"]
    assert {"Ray", "busy", "independent", "multiprocessing"} <= times.keys()
    assert all(len(times[name]) == 2 and min(times[name]) > 0 for name in ("Ray", "busy", "independent"))
    figures = distribution.figures(found)
    names = [figure.name for figure in figures]
    assert names[0] == "Computing time / Ray's wall time, 0.02 s of work"
    assert names[-1].startswith("Driver's memory")
    assert all(figure.ratio > 0 for figure in figures)


def test_two_different_pictures_are_no_race() -> None:
    black, other = np.zeros((2, 3), dtype=np.uint8), np.eye(2, 3, dtype=np.uint8)
    with pytest.raises(AssertionError, match="picture by Dask differs from that of one core"):
        race.refuse_different(other, black, "Dask")
