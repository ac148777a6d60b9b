"""What is compared with the kernels on this machine, and that a wrong answer is refused."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.figures import WrongAnswer
from bench.kernels import article, mandelbrot, programs
from workloads.mandelbrot import kernel


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole comparison, on so little that it takes no time."""
    monkeypatch.setattr(programs, "SIDE", 64)
    monkeypatch.setattr(article, "TILES", 2)


@pytest.mark.usefixtures("small")
def test_a_wrong_picture_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> None:
        arguments[-1].fill(np.nan)

    monkeypatch.setattr(kernel, "smooth_values", wrong)
    with pytest.raises(WrongAnswer, match="kernel: a pixel of band 0"):
        mandelbrot.figures()


@pytest.mark.usefixtures("small")
def test_a_wrong_count_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any, preview: bool) -> None:
        arguments[-1].fill(3)

    monkeypatch.setattr(kernel, "escape_counts", wrong)
    with pytest.raises(WrongAnswer, match="^counts: [0-9]+ counts of band 0 are wrong"):
        mandelbrot.figures()


@pytest.mark.usefixtures("small")
def test_what_a_machine_lacks_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    figures = mandelbrot.figures()
    assert [figure.name for figure in figures] == ["Mandelbrot kernel / the 2020 article's NumPy"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].split()[:2] for line in lines] == [
        ["no", "gcc,"],
        ["no", "ispc"],
        ["no", "gcc,"],
    ]


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc on PATH")
def test_every_peer_on_the_machine_gets_its_figure() -> None:
    names = [figure.name for figure in mandelbrot.figures()]
    assert any("arithmetic limit" in name for name in names)
    has_ispc = shutil.which("ispc") is not None
    assert sum("ISPC" in name for name in names) == (2 if has_ispc else 0)
