"""What the benchmark of a user's waiting does where it cannot measure, and how it judges."""

import shutil
import sys
from pathlib import Path

import pytest

from bench import deploy
from bench.figures import Verdict, WrongAnswer


def test_a_wait_within_its_goal_is_good_and_a_longer_one_open() -> None:
    assert deploy._figure("a wait", 60.0, [30.0, 90.0, 40.0], "").verdict is Verdict.GOOD
    longer = deploy._figure("a wait", 60.0, [30.0, 90.0, 80.0], "in turn")
    assert (longer.verdict, longer.ratio, longer.how) == (Verdict.OPEN, 0.75, "30.0, 90.0, 80.0 s; in turn")


def test_without_a_pulumi_the_simulated_pis_are_left_out_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(deploy, "_first_run", lambda: 30.0)
    assert [figure.ratio for figure in deploy.figures()] == [2.0]
    assert "`up` on simulated Pis is left out: no pulumi on PATH" in capsys.readouterr().err


def test_a_command_that_fails_is_a_wrong_answer(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such stack')"]
    with pytest.raises(WrongAnswer, match="no such stack"):
        deploy._run(command, tmp_path, {})
