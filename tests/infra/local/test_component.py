"""Platform `local` as a component, under mocks: what Pulumi is told to run, and what it keeps."""

import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.local.wanted import Wanted
from sandbox.engine.program.answers import RAY_TOKEN, command_answer
from sandbox.engine.stack.files import stack_config
from tests.program import Program, Secret, plain_texts, reveal, run_program

ROOT = Path(__file__).resolve().parents[3]
URL = "http://127.0.0.1:8265"


def answer(args: Any) -> dict[str, Any]:
    if args.name == "ray-local":
        return {"stdout": json.dumps({"dashboardUrl": URL}), "stderr": ""}
    return dict(command_answer(args))


def program(*, preview: bool = False, config: Mapping[str, str] | None = None) -> Program:
    settings = {**stack_config("local"), **(config or {})}
    return run_program(settings, stack="local", preview=preview, answer=answer)


@pytest.mark.parametrize("preview", [True, False])
def test_the_token_travels_on_stdin_and_nowhere_in_clear(preview: bool) -> None:
    made = program(preview=preview)
    command = made.named("ray-local")
    if not preview:
        assert isinstance(command.inputs["stdin"], Secret)
        assert RAY_TOKEN in reveal(command.inputs["stdin"])
    for resource in made.resources:
        assert RAY_TOKEN not in " ".join(plain_texts(resource.inputs))
    assert isinstance(made.outputs["rayToken"], Secret)


def test_nothing_of_this_machine_is_among_the_inputs() -> None:
    """Else another machine would run everything again, and a stack file would not be portable."""
    inputs = json.dumps(reveal(program().named("ray-local").inputs))
    for text in {str(ROOT), str(Path.home()), socket.gethostname(), sys.prefix, sys.executable} - {"/"}:
        assert text not in inputs


def test_the_command_gets_what_the_stack_wants_and_asks_for_no_rights_of_root() -> None:
    inputs = reveal(
        program(config={"piray:workers": "2", "piray:ray": '{"workerCpus": 2}'}).named("ray-local").inputs
    )
    assert Wanted.from_json(inputs["stdin"]) == Wanted(
        stack="local",
        token=RAY_TOKEN,
        generation=0,
        ray_version="2.60.0",
        workers=2,
        head_cpus=1,
        worker_cpus=2,
    )
    assert "sudo" not in json.dumps(inputs)


def test_another_number_of_workers_updates_the_command_and_does_not_replace_it() -> None:
    one, two = (program(config={"piray:workers": n}).named("ray-local") for n in ("1", "2"))
    assert one.inputs["create"] == one.inputs["update"] == two.inputs["update"]
    assert one.inputs["stdin"] != two.inputs["stdin"]
    assert "triggers" not in two.inputs
    assert one.inputs["create"].endswith("python3 -m infra.local apply")
    assert one.inputs["delete"].endswith("python3 -m infra.local undo")


def test_the_runner_is_told_where_the_jobs_api_is_and_that_nothing_is_missing() -> None:
    outputs = program().outputs
    assert outputs["dashboardUrl"] == URL
    assert outputs["runtimePackages"] == []
    assert not {"kubeconfig", "namespace", "headService", "piJob"} & set(outputs)
