"""A run of the test engine that is not to go on."""

import signal

from tests.sandbox.engine.scenario import Scenario


def test_a_secret_that_another_resource_gets_in_clear_is_refused(ours: Scenario) -> None:
    program = """
one = command("one", Output.secret("5ecret" * 8), opts=ResourceOptions(additional_secret_outputs=["stdout"]))
command("two", Output.unsecret(one.stdout))
"""
    ours.program(program)
    up = ours.up()
    assert up.code != 0
    assert "a secret of one is in the inputs of two in clear" in up.said


def test_what_is_told_openly_elsewhere_is_no_secret(ours: Scenario) -> None:
    program = """
checksum = "c" * 64
told = command("open", checksum)
one = command("one", Output.secret(checksum), depends_on=[told],
              opts=ResourceOptions(additional_secret_outputs=["stdout"]))
command("two", told.stdout, depends_on=[one])
"""
    ours.program(program)
    assert ours.up().code == 0
    assert ours.up().changes == set()


def test_an_interrupted_run_ends_what_it_has_begun_and_begins_nothing(ours: Scenario) -> None:
    ours.program('a = command("a", "x", seconds=2)\ncommand("b", "x", depends_on=[a])')
    run = ours.start("up", "--yes", "--skip-preview")
    ours.wait_for("a create")
    run.send_signal(signal.SIGINT)
    ended = ours.ended(run)
    assert ended.code != 0
    assert ours.journal() == ["a create", "a create done"]
    up = ours.up()
    assert up.steps == (("same", "a"), ("create", "b"))
