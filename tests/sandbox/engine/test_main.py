"""The command line of the test engine."""

import json
import os
import subprocess
from pathlib import Path

from sandbox.project import TEST_ENGINE
from tests.checkout import Checkout
from tests.sandbox.engine.scenario import Scenario

ONE = "urn:pulumi:test::scenario::command:local:Command::one"


def test_it_says_what_it_is(ours: Scenario) -> None:
    ours.program("", first="a")
    assert "test engine" in ours.up().stderr.splitlines()[0]


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


def test_a_stack_can_be_made_without_selecting_it_and_only_once(scenario: Scenario) -> None:
    scenario.program('pulumi.export("first", 1)')
    scenario.up()
    assert scenario.pulumi("stack", "init", "other", "--no-select").returncode == 0
    assert json.loads(scenario.pulumi("stack", "output", "--json").stdout) == {"first": 1}
    assert json.loads(scenario.pulumi("stack", "output", "--json", "--stack", "other").stdout) == {}
    again = scenario.pulumi("stack", "init", "other", "--no-select")
    assert again.returncode != 0
    assert "already exists" in again.stderr


def test_a_stack_that_is_removed_takes_its_file_along(scenario: Scenario) -> None:
    file = scenario.folder / "Pulumi.test.yaml"
    assert scenario.pulumi("stack", "rm", "test", "--yes", "--preserve-config").returncode == 0
    assert file.exists()
    assert scenario.pulumi("stack", "init", "test").returncode == 0
    assert scenario.pulumi("stack", "rm", "test", "--yes").returncode == 0
    assert not file.exists()


def test_a_stack_that_is_not_there_is_named(scenario: Scenario) -> None:
    selected = scenario.pulumi("stack", "select", "nowhere")
    assert selected.returncode != 0
    assert "no stack named 'nowhere' found" in selected.stderr


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


def test_the_resources_of_a_stack_are_listed_with_their_urns_as_the_documents_say(scenario: Scenario) -> None:
    scenario.program('command("one", "x")')
    scenario.up()
    shown = scenario.pulumi("stack", "--stack", "test", "--show-urns")
    assert shown.returncode == 0, shown.stderr
    assert f"URN: {ONE}" in shown.stdout
    plain = scenario.pulumi("stack", "--stack", "test").stdout
    assert "command:local:Command" in plain
    assert ONE not in plain


def test_without_a_terminal_every_command_may_be_told_so(scenario: Scenario) -> None:
    assert scenario.pulumi("stack", "init", "other", "--no-select", "--non-interactive").returncode == 0
    scenario.program('command("one", "x")')
    refused = scenario.pulumi("up", "--stack", "test", "--non-interactive")
    assert refused.returncode != 0
    assert "--yes" in refused.stderr
    done = scenario.pulumi("up", "--stack", "test", "--non-interactive", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stderr


def test_what_the_program_warns_of_is_shown_with_the_resource_that_it_is_about(scenario: Scenario) -> None:
    """As the warnings of the checks on a host are."""
    scenario.program(
        'one = command("one", "x")\none.stdout.apply(lambda _: pulumi.warn("look at this", one))'
    )
    up = scenario.up()
    assert up.code == 0, up.said
    assert "look at this" in up.said
