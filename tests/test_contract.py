"""The stack's outputs, from both sides: what infra exports is what the runner reads."""

import json
from dataclasses import fields
from typing import Any

import pytest

from infra import outputs as exported
from infra.config.values.fields import MAX_SAMPLES
from infra.names import camel_case
from sandbox.engine.program.answers import RAY_TOKEN, command_answer
from sandbox.engine.stack.files import stack_config
from tests.program import reveal, run_program
from workloads.pi import philox
from workloads.runner import stack_outputs as read

# Version 1 of the contract. A field that goes, or means something else, is a new version on both sides.
VERSION_1 = [
    "platform",
    "ray_version",
    "ray_token",
    "workers",
    "runtime_packages",
    "wheels_url",
    "dashboard_url",
    "kubeconfig",
    "namespace",
    "head_service",
    "dashboard_port",
    "pi_job",
    "hosts",
    "ray_mode",
    "ray_cluster",
    "groups",
    "jobs",
    "services",
]


def outputs_of(stack: str) -> dict[str, Any]:
    """Return the outputs as `pulumi stack output --json --show-secrets` would print them."""
    program = run_program(stack_config(stack), stack=stack, preview=False, answer=command_answer)
    plain: dict[str, Any] = json.loads(json.dumps(reveal(program.outputs)))
    return plain


def test_both_sides_have_the_fields_of_version_1() -> None:
    assert [field.name for field in fields(exported.StackOutputs)] == VERSION_1
    assert list(read.StackOutputs.model_fields) == VERSION_1
    assert exported.CONTRACT_VERSION == read.CONTRACT_VERSION == 1


@pytest.mark.parametrize("name", [*VERSION_1, "k3s_version", "head_2_name"])
def test_both_sides_spell_the_name_of_an_output_alike(name: str) -> None:
    assert camel_case(name) == read.camel_case(name)


def test_the_runner_reads_what_a_stack_of_pis_exports() -> None:
    outputs = outputs_of("dev")
    found = read.parse(outputs, "dev")
    assert (found.platform, found.ray_version, found.workers) == ("pi", "2.60.0", 3)
    assert found.ray_token == RAY_TOKEN
    assert found.runtime_packages == ()  # The hosts have what the image lacks.
    assert (found.namespace, found.head_service, found.dashboard_port) == ("ray", "ray-head", 8265)
    assert found.dashboard_url is None
    assert found.kubeconfig is not None
    assert "https://198.51.100.11:6443" in found.kubeconfig
    assert found.pi_job is not None
    assert (found.pi_job.completions, found.pi_job.parallelism) == (3, 3)
    assert (found.pi_job.samples, found.pi_job.seed) == (10_000_000, 0)


def test_the_runner_reads_what_a_stack_on_this_machine_exports() -> None:
    found = read.parse(outputs_of("local"), "local")
    assert (found.platform, found.workers) == ("local", 2)
    assert found.dashboard_url == "http://127.0.0.1:8265"
    assert (found.kubeconfig, found.namespace, found.pi_job) == (None, None, None)


@pytest.mark.parametrize(
    ("mirror", "url"),
    [
        ("http://192.0.2.10:8000/class", "http://192.0.2.10:8000/class/wheels/"),
        ("http://mirror.example:8000", None),
    ],
)
def test_the_runner_is_told_where_a_mirror_that_pods_may_reach_has_wheels(
    mirror: str, url: str | None
) -> None:
    config = stack_config("dev") | {"piray:k3s": json.dumps({"mirror": mirror})}
    program = run_program(config, stack="dev", preview=False, answer=command_answer)
    found = read.parse(json.loads(json.dumps(reveal(program.outputs))), "dev")
    assert found.wheels_url == url
    (internet,) = (one for one in program.of_type("NetworkPolicy") if one.name == "ray-internet")
    blocks = [peer["ipBlock"]["cidr"] for rule in internet.inputs["spec"]["egress"] for peer in rule["to"]]
    assert blocks == ["0.0.0.0/0", *(["192.0.2.10/32"] if url else [])]


@pytest.mark.parametrize("stack", ["dev", "local"])
def test_nothing_is_exported_that_the_contract_does_not_name(stack: str) -> None:
    names = set(map(camel_case, VERSION_1))
    assert set(outputs_of(stack)) <= {"contractVersion", *names}


def test_the_config_accepts_as_many_samples_as_the_pod_does() -> None:
    assert MAX_SAMPLES == philox.MAX_SAMPLES
