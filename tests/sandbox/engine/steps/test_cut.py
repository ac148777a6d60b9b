"""A run of the test engine that ends at a named moment of a named step."""

import signal
import subprocess
import sys

import pytest

from tests.sandbox.engine.scenario import Scenario

PROGRAM = 'a = command("a", "x")\ncommand("b", "x", depends_on=[a])\ncommand("c", "x", depends_on=[a])'


@pytest.mark.parametrize(
    ("moment", "journal", "next_steps"),
    [
        ("before", [], {("same", "a"), ("create", "b"), ("create", "c")}),
        ("after", ["b create", "b create done"], {("same", "a"), ("same", "b"), ("create", "c")}),
    ],
)
def test_it_ends_at_that_moment_and_begins_nothing_that_is_held_back(
    ours: Scenario, moment: str, journal: list[str], next_steps: set[tuple[str, str]]
) -> None:
    ours.program(PROGRAM)
    ours.env |= {"PIRAY_ENGINE_CUT": f"{moment} make b 0", "PIRAY_ENGINE_HOLD": "c"}
    assert ours.up().code == -9
    assert ours.journal() == ["a create", "a create done", *journal]
    del ours.env["PIRAY_ENGINE_CUT"], ours.env["PIRAY_ENGINE_HOLD"]
    ours.pulumi("cancel", "--yes", "--stack", "test")
    assert set(ours.up().steps) == next_steps


def test_what_is_held_back_goes_on_when_the_moment_can_not_come(ours: Scenario) -> None:
    ours.program(PROGRAM.replace('"c", "x"', '"c", settings["c"]'), c="x")
    assert ours.up().code == 0
    ours.set(c="y")
    ours.env |= {"PIRAY_ENGINE_CUT": "before make b 0", "PIRAY_ENGINE_HOLD": "c"}
    up = ours.up()
    assert (up.code, up.changes) == (0, {("update", "c")})


def test_what_was_done_in_the_middle_of_a_step_is_not_noted(ours: Scenario) -> None:
    ours.program(PROGRAM)
    ours.env["PIRAY_ENGINE_CUT"] = "during make a 0"
    assert ours.up().code == -9
    del ours.env["PIRAY_ENGINE_CUT"]
    ours.pulumi("cancel", "--yes", "--stack", "test")
    up = ours.up()
    assert "::a, interrupted while creating" in up.stderr
    assert up.names("create") == {"a", "b", "c"}


def test_it_is_not_noted_either_by_whoever_saves_the_state_meanwhile(ours: Scenario) -> None:
    ours.program('command("a", "x")\ncommand("b", "x", seconds=0.5)')
    ours.env["PIRAY_ENGINE_CUT"] = "during make a 1.5"
    assert ours.up().code == -9
    del ours.env["PIRAY_ENGINE_CUT"]
    ours.pulumi("cancel", "--yes", "--stack", "test")
    assert set(ours.up().steps) == {("create", "a"), ("same", "b")}


def test_a_run_that_fails_does_not_wait_for_the_moment(ours: Scenario) -> None:
    ours.program(PROGRAM.replace('command("b", "x"', 'command("b", "x", fails=True'))
    ours.env |= {"PIRAY_ENGINE_CUT": "after make b 0", "PIRAY_ENGINE_HOLD": "c"}
    up = ours.up()
    assert up.code not in (0, -9)
    assert "c create" not in ours.journal()


def test_a_run_goes_on_when_what_was_to_be_removed_is_not_there(ours: Scenario) -> None:
    ours.program(PROGRAM)
    assert ours.up().code == 0
    ours.env |= {"PIRAY_ENGINE_CUT": "after remove z 0", "PIRAY_ENGINE_HOLD": "a b c"}
    assert ours.destroy().code == 0


def test_a_child_that_ends_by_itself_meanwhile_keeps_the_engine_from_nothing() -> None:
    program = """
import subprocess, psutil
from sandbox.engine.steps.cut import end
child = subprocess.Popen(["true"])
gone = psutil.Process(child.pid)
child.wait()
psutil.Process.children = lambda self, recursive: [gone]
end()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
