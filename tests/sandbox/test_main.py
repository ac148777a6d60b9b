"""`make sandbox-down`, without simulated Pis: what is left of the stack."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import sandbox.__main__ as sandbox_main
from sandbox.machine.process import SandboxError
from sandbox.stack import STACK
from tests.sandbox.engine.scenario import ENGINES, REAL, Scenario


@pytest.fixture(params=ENGINES)
def project(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    """Return a project that is taken for the sandbox's, with its stack file and nothing else yet."""
    scenario = Scenario(tmp_path, real=request.param == REAL)
    scenario.program('command("one", "x")')
    monkeypatch.setattr(sandbox_main, "ROOT", scenario.folder)
    monkeypatch.setattr(sandbox_main, "STACK_FILE", scenario.folder / f"Pulumi.{STACK}.yaml")
    monkeypatch.setattr(sandbox_main, "engine", lambda: (scenario.env, ""))
    monkeypatch.setattr(sandbox_main, "Site", lambda: SimpleNamespace(close=lambda: None))
    sandbox_main.STACK_FILE.write_text("config: {}\n")
    return scenario


def test_the_stack_is_forgotten_and_its_file_removed(project: Scenario) -> None:
    assert project.pulumi("stack", "init", STACK, "--no-select").returncode == 0
    up = project.pulumi("up", "--yes", "--skip-preview", "--stack", STACK)
    assert up.returncode == 0, up.stdout
    sandbox_main.main(["down"], standalone_mode=False)
    assert not sandbox_main.STACK_FILE.exists()
    assert "no stack named" in project.pulumi("stack", "output", "--stack", STACK).stderr
    assert project.journal() == ["one create", "one create done"]


def test_what_a_stack_knows_of_hosts_that_are_gone_is_forgotten_before_there_are_new_ones(
    project: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_docker(_: object) -> None:
        raise SandboxError("no Docker")

    monkeypatch.setattr(sandbox_main, "missing", list)
    monkeypatch.setattr(sandbox_main, "Site", lambda: SimpleNamespace(is_open=False, open=no_docker))
    assert project.pulumi("stack", "init", STACK, "--no-select").returncode == 0
    with pytest.raises(SandboxError, match="no Docker"):
        sandbox_main.main(["up"], standalone_mode=False)
    assert "no stack named" in project.pulumi("stack", "output", "--stack", STACK).stderr


def test_a_file_without_a_stack_is_removed_too(project: Scenario) -> None:
    sandbox_main.main(["down"], standalone_mode=False)
    assert not sandbox_main.STACK_FILE.exists()


def test_without_a_file_there_is_nothing_to_do(project: Scenario) -> None:
    sandbox_main.STACK_FILE.unlink()
    sandbox_main.main(["down"], standalone_mode=False)
