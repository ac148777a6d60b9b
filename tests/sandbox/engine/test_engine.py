"""The test engine: what it does to small programs is what Pulumi's engine does to them."""

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import TEST_ENGINE, Checkout
from tests.sandbox.engine.scenario import ENGINES, REAL, Scenario, SshServer, missing_for_ssh, ssh_server

ONE = "urn:pulumi:test::scenario::command:local:Command::one"
TWO = """
first = command("first", settings["first"])
second = command("second", first.stdout.apply(lambda text: "after " + text))
pulumi.export("said", second.stdout)
"""
CHAIN = """
opts = ResourceOptions(delete_before_replace=True)
root = command("root", "root", triggers=[settings["root"]], opts=opts)
node = command("node", "node", triggers=[root.id], opts=opts)
leaf = command("leaf", "leaf", triggers=[node.id], opts=opts)
reader = command("reader", root.id.apply(lambda _: settings["root"]))
other = command("other", "other", depends_on=[root])
"""


@pytest.fixture(params=ENGINES)
def scenario(tmp_path: Path, request: pytest.FixtureRequest) -> Scenario:
    return Scenario(tmp_path, real=request.param == REAL)


@pytest.fixture
def ours(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    if missing := missing_for_ssh():
        pytest.skip(missing)
    with ssh_server(tmp_path_factory.mktemp("ssh") / "server") as running:
        yield running


def test_it_says_what_it_is(ours: Scenario) -> None:
    ours.program("", first="a")
    assert "test engine" in ours.up().stderr.splitlines()[0]


def test_what_has_been_done_is_not_done_again(scenario: Scenario) -> None:
    scenario.program(TWO, first="a")
    up = scenario.up()
    assert up.code == 0, up.said
    assert up.steps == (("create", "first"), ("create", "second"))
    assert scenario.outputs() == {"said": "after a"}
    assert len(scenario.journal()) == 4
    again = scenario.up()
    assert again.changes == set()
    assert scenario.preview("--expect-no-changes").code == 0
    assert scenario.journal() == []


def test_a_change_updates_a_resource_and_those_that_it_changes(scenario: Scenario) -> None:
    scenario.program(TWO, first="a")
    scenario.up()
    scenario.journal()
    scenario.set(first="b")
    assert scenario.up().changes == {("update", "first"), ("update", "second")}
    assert [line for line in scenario.journal() if "done" in line] == [
        "first update done",
        "second update done",
    ]
    assert scenario.outputs() == {"said": "after b"}


def test_without_an_update_the_create_runs_again(scenario: Scenario) -> None:
    scenario.program('command("one", settings["first"], update=False)', first="a")
    scenario.up()
    scenario.set(first="b")
    assert scenario.up().changes == {("update", "one")}
    assert "one create" in scenario.journal()


def test_a_replacement_is_made_before_the_old_one_goes(scenario: Scenario) -> None:
    scenario.program('command("one", "x", triggers=[settings["first"]])', first="a")
    scenario.up()
    scenario.journal()
    scenario.set(first="b")
    up = scenario.up()
    assert up.steps == (("create-replacement", "one"), ("replace", "one"), ("delete-replaced", "one"))
    assert [line for line in scenario.journal() if "done" in line] == ["one create done", "one delete done"]


def test_what_cannot_stay_goes_before_what_it_depends_on_is_replaced(scenario: Scenario) -> None:
    scenario.program(CHAIN, root="a")
    up = scenario.up()
    assert up.code == 0, up.said
    scenario.journal()
    scenario.set(root="b")
    planned = scenario.preview()
    assert planned.code == 0, planned.said
    assert scenario.journal() == []
    up = scenario.up()
    assert up.code == 0, up.said
    done = [line.removesuffix(" done") for line in scenario.journal() if "done" in line]
    assert done[:4] == ["leaf delete", "node delete", "root delete", "root create"]
    assert done.index("node create") < done.index("leaf create")
    assert "reader update" in done
    assert not [line for line in done if line.startswith("other")]
    assert up.names("replace") == {"root", "node", "leaf"}
    assert sorted(planned.changes) == sorted(up.changes)


def test_what_is_no_longer_wanted_goes_last_and_dependents_first(scenario: Scenario) -> None:
    scenario.program(CHAIN, root="a")
    scenario.up()
    scenario.journal()
    scenario.program('command("new", "new")')
    up = scenario.up()
    assert up.code == 0, up.said
    done = [line.removesuffix(" done") for line in scenario.journal() if "done" in line]
    assert done[0] == "new create"
    order = {line.split()[0]: at for at, line in enumerate(done)}
    assert order["leaf"] < order["node"] < order["root"]
    assert max(order["reader"], order["other"]) < order["root"]


def test_a_resource_is_replaced_on_demand(scenario: Scenario) -> None:
    scenario.program('command("one", "x")')
    scenario.up()
    scenario.journal()
    up = scenario.up("--replace", ONE)
    assert up.code == 0, up.said
    assert up.names("replace") == {"one"}
    assert [line for line in scenario.journal() if "done" in line] == ["one create done", "one delete done"]


def test_a_resource_is_forgotten_on_demand_and_its_stack_too(scenario: Scenario) -> None:
    scenario.program('one = command("one", "x")\ncommand("two", "x", depends_on=[one])')
    scenario.up()
    scenario.journal()
    forget = ["state", "delete", "--yes", "--stack", "test"]
    assert scenario.pulumi(*forget, ONE).returncode != 0
    assert scenario.pulumi(*forget, ONE.replace("::one", "::two")).returncode == 0
    assert scenario.pulumi(*forget, ONE).returncode == 0
    assert scenario.destroy().changes == set()
    assert scenario.journal() == []
    assert scenario.pulumi("stack", "rm", "test", "--yes").returncode == 0
    assert scenario.pulumi("stack", "select", "test").returncode != 0


def test_a_stack_is_forgotten_by_force_without_its_passphrase(ours: Scenario) -> None:
    ours.program('command("one", "x")')
    ours.up()
    assert "still has resources" in ours.pulumi("stack", "rm", "test", "--yes").stderr
    del ours.env["PULUMI_CONFIG_PASSPHRASE"]
    assert ours.pulumi("stack", "rm", "test", "--yes", "--force").returncode == 0
    assert ours.pulumi("stack", "select", "test").returncode != 0


def test_destroy_leaves_nothing(scenario: Scenario) -> None:
    scenario.program(CHAIN, root="a")
    scenario.up()
    down = scenario.destroy()
    assert down.code == 0, down.said
    assert down.changes == {("delete", name) for name in ("root", "node", "leaf", "reader", "other")}
    assert scenario.outputs() == {}
    assert scenario.destroy().changes == set()


def test_a_failure_stops_what_depends_on_it_and_the_next_run_goes_on(scenario: Scenario) -> None:
    program = """
bad = command("bad", "x", fails=settings["fails"])
after = command("after", "x", depends_on=[bad])
beside = command("beside", "x")
"""
    scenario.program(program, fails=True)
    up = scenario.up()
    assert up.code != 0
    assert "bad" in up.said
    assert "exit status 3: running" in up.said
    journal = scenario.journal()
    assert not [line for line in journal if line.startswith("after")]
    beside = "beside create done" in journal
    scenario.set(fails=False)
    up = scenario.up()
    assert up.code == 0, up.said
    assert ("create", "bad") in up.steps
    assert ("create", "after") in up.steps
    assert (("same" if beside else "create"), "beside") in up.steps


def test_a_failed_update_is_tried_again(scenario: Scenario) -> None:
    scenario.program('command("one", settings["first"], fails=settings["fails"])', first="a", fails=False)
    scenario.up()
    scenario.set(first="b", fails=True)
    assert scenario.up().code != 0
    assert scenario.up().changes == {("update", "one")}
    scenario.set(fails=False)
    assert scenario.up().changes == {("update", "one")}


def test_a_replacement_cut_in_half_is_finished(scenario: Scenario) -> None:
    program = """
command("one", "x", fails=settings["fails"], triggers=[settings["t"]],
        opts=ResourceOptions(delete_before_replace=True))
"""
    scenario.program(program, t="a", fails=False)
    scenario.up()
    scenario.set(t="b", fails=True)
    assert scenario.up().code != 0
    scenario.set(fails=False)
    scenario.journal()
    up = scenario.up()
    assert up.code == 0, up.said
    assert ("create-replacement", "one") in up.steps
    assert [line for line in scenario.journal() if "done" in line] == ["one create done"]


def test_a_preview_does_nothing_and_knows_no_outputs_of_what_is_new(scenario: Scenario) -> None:
    scenario.program(TWO + 'first.stdout.apply(lambda _: Path("applied").touch())', first="a")
    planned = scenario.preview()
    assert planned.code == 0, planned.said
    assert planned.names("create") == {"first", "second"}
    assert scenario.journal() == []
    assert not (scenario.folder / "applied").exists()
    scenario.up()
    scenario.journal()
    scenario.set(first="b")
    assert scenario.preview().names("update") == {"first", "second"}
    assert scenario.preview("--expect-no-changes").code != 0
    assert scenario.journal() == []


def test_independent_resources_are_made_side_by_side(scenario: Scenario) -> None:
    scenario.program('for name in "abc": command(name, "x", seconds=2)')
    assert scenario.up().code == 0
    assert all("done" not in line for line in scenario.journal()[:3])


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


def test_what_a_command_prints_is_shown_even_if_it_is_secret(scenario: Scenario) -> None:
    scenario.program('command("one", Output.secret("sesame"))\ncommand("two", "hush", logging="stderr")')
    up = scenario.up()
    assert up.code == 0, up.said
    assert "sesame" in up.said
    assert "hush" not in up.said


def test_the_state_is_its_owners_and_needs_the_passphrase(ours: Scenario) -> None:
    ours.program('pulumi.export("token", Output.secret("hidden"))')
    ours.up()
    (state,) = ours.state.rglob("*.json")
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    ours.env["PULUMI_CONFIG_PASSPHRASE"] = "wrong"
    assert "incorrect passphrase" in ours.up().said


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
one = command("one", Output.secret(checksum), opts=ResourceOptions(additional_secret_outputs=["stdout"]))
command("two", told.stdout, depends_on=[one])
"""
    ours.program(program)
    assert ours.up().code == 0
    assert ours.up().changes == set()


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


def test_a_killed_run_loses_nothing_that_was_done(ours: Scenario) -> None:
    ours.program('a = command("a", "x")\ncommand("b", "x", seconds=3, depends_on=[a])')
    run = ours.start("up", "--yes", "--skip-preview")
    ours.wait_for("b create")
    run.kill()
    ours.ended(run)
    up = ours.up()
    assert up.steps == (("same", "a"), ("create", "b"))
    assert "was interrupted while create" in up.stderr


def test_two_runs_at_once_are_refused(ours: Scenario) -> None:
    ours.program('command("a", "x", seconds=2)')
    run = ours.start("up", "--yes", "--skip-preview")
    ours.wait_for("a create")
    second = ours.pulumi("up", "--yes", "--stack", "test")
    assert "the stack is currently locked" in second.stderr
    assert ours.ended(run).code == 0


def test_a_stack_that_is_not_there_is_named(scenario: Scenario) -> None:
    selected = scenario.pulumi("stack", "select", "nowhere")
    assert selected.returncode != 0
    assert "no stack named 'nowhere' found" in selected.stderr


REMOTE = """
one = remote.Command("one", connection=settings["connection"],
    create="sh -s create", update="sh -s update", delete="sh -s delete",
    stdin="echo $1 >> " + settings["file"] + "; echo said $1 " + settings["word"] + "; " + settings["more"],
    add_previous_output_in_env=False, logging=remote.Logging.NONE)
pulumi.export("said", one.stdout)
"""


def test_a_remote_command_runs_over_ssh(scenario: Scenario, server: SshServer, tmp_path: Path) -> None:
    file = tmp_path / "remote"
    scenario.program(REMOTE, connection=server.connection, file=str(file), word="a", more="")
    up = scenario.up()
    assert up.code == 0, up.said
    assert scenario.outputs() == {"said": "said create a"}
    scenario.set(word="b")
    assert scenario.up().changes == {("update", "one")}
    assert scenario.outputs() == {"said": "said update b"}
    assert scenario.destroy().code == 0
    assert file.read_text().split() == ["create", "update", "delete"]
    kept = [path for path in scenario.state.rglob("*") if path.is_file()]
    key = server.private_key.splitlines()[2]
    assert not [path for path in kept if key in path.read_text(errors="replace")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"port": 1}, "dial tcp 127.0.0.1:1: connect: connection refused"),
        (
            {"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDjFGNFk0t/PyreGyYhEb54NkLU/ozjkKCAngai6j3/2"},
            "ssh: handshake failed: ssh: host key mismatch",
        ),
        ({"user": "nobody-at-all"}, "ssh: handshake failed: ssh: unable to authenticate"),
    ],
)
def test_a_host_that_cannot_be_reached_is_told_as_the_provider_does(
    scenario: Scenario, server: SshServer, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    connection = {**server.connection, **change}
    scenario.program(REMOTE, connection=connection, file=str(tmp_path / "remote"), word="a", more="")
    up = scenario.up()
    assert up.code != 0
    assert "after 2 failed attempts: " in up.said
    assert message in up.said


def test_a_remote_command_that_fails_is_not_tried_again(
    scenario: Scenario, server: SshServer, tmp_path: Path
) -> None:
    file = tmp_path / "remote"
    more = "echo trouble >&2; exit 255"
    scenario.program(REMOTE, connection=server.connection, file=str(file), word="a", more=more)
    up = scenario.up()
    assert up.code != 0
    assert 'Process exited with status 255: running "sh -s create":' in up.said
    assert "trouble" in up.said
    assert file.read_text().split() == ["create"]


def test_a_connection_that_breaks_is_no_answer_of_the_command(
    scenario: Scenario, server: SshServer, tmp_path: Path
) -> None:
    more = "kill $(ps -o ppid= -p $PPID); sleep 1; kill $PPID"
    scenario.program(REMOTE, connection=server.connection, file=str(tmp_path / "f"), word="a", more=more)
    up = scenario.up()
    assert up.code != 0
    assert "remote command exited without exit status or exit signal" in up.said


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_the_program_itself_comes_up_on_this_machine_and_goes_away(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, TEST_ENGINE)
    up = checkout.deploy("up", "local")
    try:
        assert up.code == 0, up.said
        assert up.names("create") == {"ray-token", "ray-local"}
        assert checkout.deploy("up", "local").changes == set()
        file = checkout.folder / "Pulumi.local.yaml"
        file.write_text(file.read_text().replace("piray:workers: 2", "piray:workers: 1"))
        assert checkout.deploy("up", "local").changes == {("update", "ray-local")}
        assert checkout.outputs("local")["workers"] == 1
    finally:
        down = checkout.deploy("down", "local")
    assert down.code == 0, down.said
    assert down.names("delete") == {"ray-token", "ray-local"}
    assert checkout.outputs("local") == {}


def test_four_pis_are_previewed_as_json(tmp_path: Path) -> None:
    preview = Checkout(tmp_path, TEST_ENGINE).engine("preview", "dev", "--json")
    assert preview.code == 0, preview.said
    changes = json.loads(preview.stdout)["changeSummary"]
    assert set(changes) == {"create"}
    assert changes["create"] > 25


def test_the_launcher_finds_a_python_by_itself(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key != "PIRAY_ENGINE_PYTHON"}
    done = subprocess.run(
        [TEST_ENGINE / "pulumi", "version"],
        cwd=Scenario(tmp_path).folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("v3."), done.stderr
