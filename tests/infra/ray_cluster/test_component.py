"""The Ray cluster as a component: what is declared, in which order, and where the token goes."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.engine.program.answers import RAY_TOKEN, command_answer
from sandbox.engine.stack.files import stack_config
from tests.program import Program, Secret, plain_texts, reveal, run_program


def program(
    *, preview: bool = False, ray: Mapping[str, object] | None = None, token: str = RAY_TOKEN
) -> Program:
    def answer(args: Any) -> Mapping[str, Any]:
        return {"stdout": token} if args.name == "ray-token" else command_answer(args)

    config = {**stack_config("dev"), "piray:ray": json.dumps(ray or {})}
    return run_program(config, stack="dev", preview=preview, answer=answer)


@pytest.mark.parametrize("preview", [True, False])
def test_the_token_is_nowhere_in_clear(preview: bool) -> None:
    made = program(preview=preview)
    for resource in made.resources:
        assert RAY_TOKEN not in " ".join(plain_texts(resource.inputs)), resource.urn
    assert isinstance(made.outputs["rayToken"], Secret)


def test_the_token_is_in_one_kubernetes_secret_and_both_deployments_point_to_it() -> None:
    made = program()
    (secret,) = made.of_type("kubernetes:core/v1:Secret")
    assert isinstance(secret.inputs["stringData"], Secret)
    assert reveal(secret.inputs["stringData"]) == {"auth_token": RAY_TOKEN}
    for deployment in made.of_type(":Deployment"):
        (container,) = deployment.inputs["spec"]["template"]["spec"]["containers"]
        references = [
            entry["valueFrom"]["secretKeyRef"]
            for entry in container["env"]
            if "secretKeyRef" in entry.get("valueFrom", {})
        ]
        assert references == [{"name": secret.inputs["metadata"]["name"], "key": "auth_token"}]


def test_another_token_is_another_secret_so_that_pods_start_anew() -> None:
    def secret_name(token: str) -> str:
        (secret,) = program(token=token).of_type("kubernetes:core/v1:Secret")
        return str(secret.inputs["metadata"]["name"])

    assert secret_name(RAY_TOKEN) == secret_name(RAY_TOKEN)
    assert secret_name(RAY_TOKEN) != secret_name("5b" * 32)


def test_the_token_is_drawn_once_and_nothing_of_it_is_logged() -> None:
    (command,) = [r for r in program().of_type("command:local:Command") if r.name.endswith("token")]
    assert command.inputs["logging"] == "none"
    assert {"stdout", "stderr"} <= set(command.request.additionalSecretOutputs)
    assert not {"triggers", "update", "delete"} & set(command.inputs)


def test_no_pod_starts_before_its_walls_stand() -> None:
    made = program()
    for pod_owner in [*made.of_type(":Deployment"), *made.of_type(":Job")]:
        for policy in made.of_type(":NetworkPolicy"):
            assert made.comes_after(pod_owner, policy)


def test_all_hosts_pull_the_image_at_the_same_time() -> None:
    made = program()
    head, worker = made.named("ray-head"), made.named("ray-worker")
    assert not made.comes_after(worker, head)


def test_every_object_can_be_made_twice_and_is_still_one() -> None:
    """So that an `up` that was cut off leaves nothing behind that the next one does not know."""
    names = [
        {one.name: one.inputs["metadata"]["name"] for one in program().of_type("kubernetes:")}
        for _ in range(2)
    ]
    assert names[0] == names[1]
    assert (names[0]["ray-namespace"], names[0]["ray-service"]) == ("ray", "ray-head")
    for one in program().of_type("kubernetes:"):
        assert one.inputs["metadata"]["annotations"]["pulumi.com/patchFieldManager"] == "piray", one.urn
        assert one.request.deleteBeforeReplace, one.urn
    (provider,) = program().of_type("pulumi:providers:kubernetes")
    assert [provider.inputs[key] for key in ("upsertExistingObjects", "enablePatchForce")] == ["true", "true"]


def test_every_object_is_in_the_namespace_of_the_config() -> None:
    config = {**stack_config("dev"), "piray:namespace": "maths"}
    made = run_program(config, stack="dev", preview=False, answer=command_answer)
    for resource in made.of_type("kubernetes:"):
        metadata = resource.inputs["metadata"]
        if resource.request.type.endswith(":PersistentVolume"):
            # It is in none, and two stacks must not have the same one.
            assert metadata["name"] == "maths-ray-packages"
            assert resource.inputs["spec"]["claimRef"]["namespace"] == "maths"
            continue
        assert metadata.get("namespace", metadata.get("name")) == "maths", resource.urn
    assert made.outputs["namespace"] == "maths"


def test_an_own_image_that_lacks_nothing_closes_the_internet() -> None:
    official = program().of_type(":NetworkPolicy")
    own = program(ray={"image": "registry.example/piray-ray:2.60.0-1"}).of_type(":NetworkPolicy")
    assert {policy.name for policy in official} - {policy.name for policy in own} == {"ray-internet"}


@pytest.mark.parametrize("preview", [True, False])
def test_the_runner_is_told_how_to_reach_the_head(preview: bool) -> None:
    outputs = program(preview=preview).outputs
    assert (outputs["headService"], outputs["dashboardPort"]) == ("ray-head", 8265)
    # The hosts have what the image lacks: no job brings it.
    assert outputs["runtimePackages"] == []
    assert outputs["rayVersion"] == "2.60.0"
