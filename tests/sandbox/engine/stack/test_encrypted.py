"""Encrypted values in a stack file: as the CLI stores them, and as a program gets them, on both engines."""

import json

import yaml

from tests.sandbox.engine.scenario import Scenario

PROGRAM = """
from pulumi.runtime import config
values = {key: value for key, value in config.CONFIG.get().items() if key.startswith("scenario:")}
secret = sorted(key for key in values if config.is_config_secret(key))
Path("seen").write_text(json.dumps([values, secret]))
"""


def test_the_program_gets_them_in_clear_and_is_told_which_keys_hold_any(scenario: Scenario) -> None:
    file = scenario.folder / "Pulumi.test.yaml"
    contents = yaml.safe_load(file.read_text()) or {}
    hosts = [{"name": "pi1", "number": 5}, {"name": "pi2"}]
    config = {"scenario:hosts": hosts, "scenario:open": "here"}
    file.write_text(yaml.safe_dump({**contents, "config": config}))
    store = ["config", "set", "--stack", "test", "--secret"]
    for arguments in (["scenario:word", "it's"], ["--path", "scenario:hosts[1].word", "1234"]):
        done = scenario.pulumi(*store, *arguments)
        assert done.returncode == 0, done.stderr
    assert "1234" not in file.read_text()
    scenario.program(PROGRAM)
    up = scenario.up()
    assert up.code == 0, up.said
    values, secret = json.loads((scenario.folder / "seen").read_text())
    assert secret == ["scenario:hosts", "scenario:word"]
    assert (values["scenario:word"], values["scenario:open"]) == ("it's", "here")
    assert json.loads(values["scenario:hosts"]) == [
        {"name": "pi1", "number": 5},
        {"name": "pi2", "word": "1234"},
    ]


def test_another_passphrase_is_refused_in_one_line(scenario: Scenario) -> None:
    assert (
        scenario.pulumi("config", "set", "--stack", "test", "--secret", "scenario:word", "x").returncode == 0
    )
    scenario.program(PROGRAM)
    scenario.env["PULUMI_CONFIG_PASSPHRASE"] = "another"
    up = scenario.up()
    assert up.code != 0
    assert "incorrect passphrase" in up.said
    assert "Traceback" not in up.said


def test_the_configuration_is_shown_with_its_secrets_only_on_demand(scenario: Scenario) -> None:
    """As the doctor asks for it."""
    file = scenario.folder / "Pulumi.test.yaml"
    contents = yaml.safe_load(file.read_text()) or {}
    config = {"scenario:hosts": [{"name": "pi1"}], "scenario:open": "here", "scenario:number": 5}
    file.write_text(yaml.safe_dump({**contents, "config": config}))
    store = ["config", "set", "--stack", "test", "--secret", "--non-interactive"]
    assert scenario.pulumi(*store, "scenario:word", "it's").returncode == 0
    assert scenario.pulumi(*store, "--path", "scenario:hosts[0].word", "1234").returncode == 0

    shown = scenario.pulumi("config", "--json", "--show-secrets", "--stack", "test")
    assert json.loads(shown.stdout) == {
        "scenario:hosts": {
            "value": '[{"name":"pi1","word":"1234"}]',
            "objectValue": [{"name": "pi1", "word": "1234"}],
            "secret": True,
        },
        "scenario:number": {"value": "5", "secret": False},
        "scenario:open": {"value": "here", "secret": False},
        "scenario:word": {"value": "it's", "secret": True},
    }
    hidden = scenario.pulumi("config", "--json", "--stack", "test").stdout
    assert json.loads(hidden)["scenario:word"] == {"secret": True}
    assert "1234" not in hidden

    assert scenario.pulumi("config", "rm", "scenario:word", "--stack", "test").returncode == 0
    left = json.loads(scenario.pulumi("config", "--json", "--stack", "test").stdout)
    assert set(left) == {"scenario:hosts", "scenario:number", "scenario:open"}


def test_a_value_for_a_stack_that_is_not_there_is_refused_by_the_words_that_init_goes_by(
    scenario: Scenario,
) -> None:
    done = scenario.pulumi("config", "set", "--stack", "none", "--secret", "scenario:word", "x")
    assert done.returncode != 0
    assert "no stack named" in done.stderr
