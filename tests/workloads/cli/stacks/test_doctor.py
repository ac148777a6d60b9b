"""`piray doctor` starts the doctor of the other half and passes on how it ended."""

import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from workloads.cli.app import main


@pytest.mark.parametrize("status", [0, 1, 2])
def test_options_and_exit_status_are_passed_on(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def run(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        called.append(arguments)
        return subprocess.CompletedProcess(arguments, status)

    monkeypatch.setattr(subprocess, "run", run)
    result = CliRunner().invoke(main, ["doctor", "home", "--json", "--no-write-test"])
    assert result.exit_code == status
    assert called == [[sys.executable, "-m", "infra.doctor", "--json", "--no-write-test", "--", "home"]]


def test_the_stack_may_be_named_as_for_the_other_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def run(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        called.append(arguments)
        return subprocess.CompletedProcess(arguments, 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert CliRunner().invoke(main, ["doctor", "--stack", "home"]).exit_code == 0
    assert called[0][-1] == "home"
    assert CliRunner().invoke(main, ["doctor"]).exit_code == 2


def test_a_stack_that_is_not_there_ends_with_2_and_the_names_of_those_that_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workloads.cli", "doctor", "no-such-stack"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert "there is no stack file Pulumi.no-such-stack.yaml; give one of: dev, local" in done.stderr
