"""Programs that end with a mistake, and what the engine answers them."""

from tests.sandbox.engine.scenario import Scenario


def test_a_mistake_in_the_program_is_shown_and_nothing_is_deleted(scenario: Scenario) -> None:
    scenario.program('command("one", "x")')
    scenario.up()
    scenario.journal()
    scenario.program('raise pulumi.RunError("the plan is wrong")')
    up = scenario.up()
    assert up.code != 0
    assert "the plan is wrong" in up.said
    assert "Traceback" not in up.said
    assert scenario.journal() == []


def test_an_error_that_is_its_own_cause_is_shown(ours: Scenario) -> None:
    ours.program(
        'first, second = ValueError("the plan is wrong"), ValueError("the disk is full")\n'
        "first.__context__, second.__context__ = second, first\n"
        "raise first"
    )
    up = ours.up()
    assert up.code != 0
    assert "ValueError: the plan is wrong" in up.said


def test_a_program_that_fails_keeps_the_outputs_that_it_does_not_tell(scenario: Scenario) -> None:
    scenario.program('pulumi.export("first", 1)')
    scenario.up()
    scenario.program('pulumi.export("second", 2)\nraise pulumi.RunError("the plan is wrong")')
    assert scenario.up().code != 0
    assert scenario.outputs() == {"first": 1, "second": 2}
    scenario.program('pulumi.export("second", 2)')
    assert scenario.up().code == 0
    assert scenario.outputs() == {"second": 2}


def test_a_program_can_ask_for_a_version_of_pulumi(scenario: Scenario) -> None:
    scenario.program('pulumi.require_pulumi_version(">=3.165.0 <4.0.0")')
    up = scenario.up()
    assert up.code == 0, up.said
    scenario.program('pulumi.require_pulumi_version(">=3.999.0")')
    up = scenario.up()
    assert up.code != 0
    assert 'does not satisfy the version range ">=3.999.0"' in up.said


def test_what_is_hidden_from_a_diff_is_a_change_all_the_same(scenario: Scenario) -> None:
    scenario.program(
        'command("one", settings["first"], opts=ResourceOptions(hide_diffs=["stdin"]))', first="a"
    )
    up = scenario.up()
    assert up.code == 0, up.said
    scenario.set(first="b")
    assert scenario.up().changes == {("update", "one")}
