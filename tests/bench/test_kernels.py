"""What the benchmark writes, how it times, and that it refuses a wrong answer."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.figures import Figure, WrongAnswer, table, write
from bench.kernels import mandelbrot as kernels
from bench.timing import best_sums
from workloads.mandelbrot import kernel


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


def test_fewer_parts_are_spread_over_the_whole_time() -> None:
    calls: list[str] = []
    parts = {
        name: [lambda n=name, i=i: calls.append(f"{n}{i}") for i in range(size)]
        for name, size in (("a", 4), ("b", 2))
    }
    best_sums(parts, repeats=1)
    assert calls == ["a0", "b0", "a1", "a2", "b1", "a3"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole comparison, on so little that it takes no time."""
    monkeypatch.setattr(kernels, "SIDE", 64)
    monkeypatch.setattr(kernels, "TILES", 2)


@pytest.mark.usefixtures("small")
def test_a_wrong_picture_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> None:
        arguments[-1].fill(np.nan)

    monkeypatch.setattr(kernel, "smooth_values", wrong)
    with pytest.raises(WrongAnswer, match="kernel: a pixel of band 0"):
        kernels.mandelbrot()


@pytest.mark.usefixtures("small")
def test_a_wrong_count_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any, preview: bool) -> None:
        arguments[-1].fill(3)

    monkeypatch.setattr(kernel, "escape_counts", wrong)
    with pytest.raises(WrongAnswer, match="^counts: [0-9]+ counts of band 0 are wrong"):
        kernels.mandelbrot()


@pytest.mark.usefixtures("small")
def test_what_a_machine_lacks_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    figures = kernels.mandelbrot()
    assert [figure.name for figure in figures] == ["Mandelbrot kernel / the write-up's NumPy"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].split()[:2] for line in lines] == [
        ["no", "gcc,"],
        ["no", "ispc"],
        ["no", "gcc,"],
    ]


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on PATH")
def test_every_peer_on_the_machine_gets_its_figure() -> None:
    names = [figure.name for figure in kernels.mandelbrot()]
    assert any("arithmetic limit" in name for name in names)
    has_ispc = shutil.which("ispc") is not None
    assert sum("ISPC" in name for name in names) == (2 if has_ispc else 0)
