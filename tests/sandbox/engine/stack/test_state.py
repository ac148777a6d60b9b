"""What the test engine keeps of a stack: all that was done, for its owner only."""

import stat

from tests.sandbox.engine.scenario import Scenario


def test_secrets_are_never_in_clear(scenario: Scenario) -> None:
    secret = "5ecret" * 8
    program = """
one = command("one", Output.secret(settings["secret"]), logging=local.Logging.NONE,
              opts=ResourceOptions(additional_secret_outputs=["stdout"]))
pulumi.export("token", one.stdout)
pulumi.export("open", "sesame")
"""
    scenario.program(program, secret=secret)
    up = scenario.up()
    assert up.code == 0, up.said
    assert scenario.outputs() == {"token": "[secret]", "open": "sesame"}
    assert scenario.outputs("--show-secrets")["token"] == secret
    kept = [path for path in scenario.state.rglob("*") if path.is_file()]
    assert not [path for path in kept if secret in path.read_text(errors="replace")]
    assert secret not in up.said


def test_the_state_is_its_owners_and_needs_the_passphrase(ours: Scenario) -> None:
    ours.program('pulumi.export("token", Output.secret("hidden"))')
    ours.up()
    (state,) = ours.state.rglob("*.json")
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    ours.env["PULUMI_CONFIG_PASSPHRASE"] = "wrong"
    assert "incorrect passphrase" in ours.up().said


def test_a_killed_run_loses_nothing_that_was_done(ours: Scenario) -> None:
    ours.program('a = command("a", "x")\ncommand("b", "x", seconds=3, depends_on=[a])')
    run = ours.start("up", "--yes", "--skip-preview")
    ours.wait_for("b create")
    run.kill()
    ours.ended(run)
    up = ours.up()
    assert "the stack is currently locked by 1 lock(s)" in up.stderr
    assert f"(pid {run.pid})" in up.stderr
    assert ours.pulumi("cancel", "--yes", "--stack", "test").returncode == 0
    up = ours.up()
    assert up.steps == (("same", "a"), ("create", "b"))
    assert "command:local:Command::b, interrupted while creating" in up.stderr


def test_two_runs_at_once_are_refused(ours: Scenario) -> None:
    held = ours.folder / "held"
    held.touch()
    ours.program('command("a", "x", seconds="0; while [ -e held ]; do sleep 0.1; done")')
    run = ours.start("up", "--yes", "--skip-preview")
    ours.wait_for("a create")
    second = ours.pulumi("up", "--yes", "--stack", "test")
    held.unlink()
    assert "the stack is currently locked" in second.stderr
    assert ours.ended(run).code == 0
