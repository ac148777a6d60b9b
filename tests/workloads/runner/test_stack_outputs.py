"""Outputs of a stack are read whole or refused with what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from workloads.runner import stack_outputs
from workloads.runner.stack_outputs import StackError, StackOutputs, parse

PI: dict[str, Any] = {
    "contractVersion": 1,
    "platform": "pi",
    "rayVersion": "2.60.0",
    "rayToken": "token-value",
    "workers": 3,
    "runtimePackages": ["numba==0.68.1"],
    "kubeconfig": "kubeconfig-value",
    "namespace": "ray",
    "headService": "ray-head",
    "dashboardPort": 8265,
    "piJob": {"name": "pi", "completions": 3, "parallelism": 3, "samples": 10_000_000, "seed": 0},
}
LOCAL: dict[str, Any] = {
    "contractVersion": 1,
    "platform": "local",
    "rayVersion": "2.60.0",
    "rayToken": "token-value",
    "workers": 0,
    "dashboardUrl": "http://127.0.0.1:8265",
}


def test_every_output_of_a_pi_stack_arrives() -> None:
    outputs = parse(PI, "dev")
    assert outputs.workers == 3
    assert outputs.runtime_packages == ("numba==0.68.1",)
    assert outputs.dashboard_port == 8265
    assert outputs.pi_job is not None
    assert outputs.pi_job.samples == 10_000_000
    assert outputs.dashboard_url is None


def test_a_local_stack_needs_no_kubernetes() -> None:
    assert parse(LOCAL, "local").dashboard_url == "http://127.0.0.1:8265"


def test_numbers_that_pulumi_made_floats_are_whole_again() -> None:
    job = {**PI["piJob"], "samples": 1e7}
    outputs = parse({**PI, "workers": 3.0, "piJob": job}, "dev")
    assert outputs.workers == 3
    assert outputs.pi_job is not None
    assert outputs.pi_job.samples == 10_000_000


def test_unknown_outputs_are_for_somebody_else() -> None:
    assert isinstance(parse({**LOCAL, "somethingNew": 1}, "local"), StackOutputs)


def test_what_is_known_of_each_host_arrives_and_may_be_absent() -> None:
    facts = {"arch": "aarch64", "model": "Raspberry Pi 5 Model B Rev 1.0", "cores": 4.0, "throttled": None}
    outputs = parse(
        {**PI, "hosts": {"pi1": facts, "pi2.lan": {**facts, "throttled": ["under-voltage"]}}}, "dev"
    )
    assert outputs.hosts["pi1"] == {**facts, "cores": 4}
    assert isinstance(outputs.hosts["pi1"]["cores"], int)
    assert outputs.hosts["pi2.lan"]["throttled"] == ["under-voltage"]
    assert parse(PI, "dev").hosts == {}


def test_secrets_are_not_shown() -> None:
    shown = repr(parse(PI, "dev"))
    assert "token-value" not in shown
    assert "kubeconfig-value" not in shown


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contractVersion": 2}, "a newer piray is needed"),
        ({"contractVersion": 0}, "an older piray is needed"),
        ({"contractVersion": None}, "have no contractVersion"),
        ({"rayToken": None}, "stack dev has no output rayToken: run `make up STACK=dev`."),
        ({"kubeconfig": None, "namespace": None}, "has no output kubeconfig, namespace"),
        ({"workers": "3"}, "workers has the wrong type: it must be a whole number"),
        ({"workers": True}, "workers has the wrong type"),
        ({"workers": 2.5}, "workers has the wrong type"),
        ({"rayVersion": 2.6}, "rayVersion has the wrong type: it must be text"),
        ({"runtimePackages": "numba"}, "runtimePackages has the wrong type: it must be a list"),
        ({"runtimePackages": [1]}, "must be a list of text"),
        ({"piJob": 3}, "piJob has the wrong type: it must be an object"),
        ({"piJob": {"name": "pi"}}, "piJob.completions is None"),
        ({"hosts": ["pi1"]}, "hosts has the wrong type: it must be an object"),
        (
            {"hosts": {"pi1": 3}},
            "hosts.pi1 has the wrong type: it must be an object, not 3; run `make up STACK=dev`",
        ),
        (
            {"hosts": {"pi2.lan": {"throttled": "0x50000"}}},
            "hosts.pi2.lan.throttled has the wrong type: it must be a list of text, not '0x50000'; run",
        ),
        (
            {"hosts": {"pi1": {"throttled": [3]}}},
            "hosts.pi1.throttled has the wrong type: it must be a list of text, not [3]",
        ),
        (
            {"hosts": {"pi1": {"model": 5, "cores": 4}}},
            "hosts.pi1.model has the wrong type: it must be text, not 5",
        ),
        ({"contractVersion": True}, "follow version True of the contract"),
        ({"rayToken": "two\nlines"}, "rayToken has the wrong type: it must be one word of plain text; run"),
        ({"rayToken": "größe"}, "rayToken has the wrong type: it must be one word of plain text; run"),
        ({"rayToken": ""}, "rayToken has the wrong type: it must be one word of plain text; run"),
        ({"contractVersion": "1"}, "follow version '1' of the contract"),
        ({"workers": "3"}, "it must be a whole number, not '3'; run `make up STACK=dev`."),
        ({"runtimePackages": [1, 2]}, "it must be a list of text, not [1, 2]; run `make up STACK=dev`."),
    ],
)
def test_wrong_outputs_say_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StackError, match=re.escape(message)):
        parse({**PI, **changes}, "dev")


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(StackError) as caught:
        parse({**PI, "rayToken": None, "workers": "3", "piJob": {}}, "dev")
    assert {"rayToken", "workers", "piJob.seed"} <= set(re.findall(r"[\w.]+\w", str(caught.value)))


def test_a_wrong_secret_is_not_repeated_in_the_message() -> None:
    with pytest.raises(StackError) as caught:
        parse({**PI, "kubeconfig": ["hidden-value"]}, "dev")
    assert "hidden-value" not in str(caught.value)


def test_no_outputs_at_all_means_that_the_stack_is_not_up() -> None:
    with pytest.raises(StackError, match="run `make up STACK=dev` first"):
        parse({}, "dev")


def write_project(folder: Path, engine: str) -> Path:
    (folder / "infra").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: piray\n")
    (folder / "infra" / "__init__.py").write_text("")
    (folder / "infra" / "pulumi_cli.py").write_text(engine)
    return folder


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (
            "import sys; print('noise', file=sys.stderr); sys.exit('piray: no stack named dev: run this')",
            "no stack",
        ),
        ("import sys; sys.exit(3)", "stack dev cannot be read (exit code 3)"),
        ("print('hello')", "the Pulumi CLI printed no JSON"),
        ("print('{}')", "run `make up STACK=dev` first"),
        ("print('[]')", "the Pulumi CLI printed no JSON of outputs"),
        ("print('null')", "the Pulumi CLI printed no JSON of outputs"),
        ("print('[' * 100_000)", "the Pulumi CLI printed no JSON of outputs"),
        ("import sys; sys.stdout.buffer.write(bytes([255]))", "the Pulumi CLI printed no JSON of outputs"),
        ("import sys; sys.stderr.buffer.write(b'piray: no \\xff'); sys.exit(1)", "no \ufffd"),
    ],
)
def test_the_engines_refusal_is_passed_on_in_one_line(
    engine: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project(tmp_path / "project", engine)
    monkeypatch.setattr(stack_outputs, "find_project", lambda: project)
    with pytest.raises(StackError, match=re.escape(message)) as caught:
        stack_outputs.read("dev")
    assert "\n" not in str(caught.value)
    assert not str(caught.value).startswith("piray:")


@pytest.mark.parametrize("name", ["dev", "ada/dev", "organization/piray/dev"])
def test_the_engine_is_asked_for_the_stack_in_the_projects_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = f"import sys\nassert sys.argv[1:] == ['outputs', {name!r}], sys.argv\n"
    engine = f"{checked}print({json.dumps(json.dumps(PI))})"
    project = write_project(tmp_path / "project", engine)
    monkeypatch.setattr(stack_outputs, "find_project", lambda: project)
    assert stack_outputs.read(name) == parse(PI, name)


@pytest.mark.parametrize("name", ["", "--help", "a b", "../x", "a/b/c/d", "dev\n"])
def test_a_name_that_no_stack_can_have_reaches_no_command_line(name: str) -> None:
    with pytest.raises(StackError, match="cannot be the name of a stack"):
        stack_outputs.read(name)
