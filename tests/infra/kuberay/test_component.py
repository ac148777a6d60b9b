"""KubeRay mode as resources of Pulumi: what waits for what, what is removed before what, what is told."""

import json
from typing import Any

import pytest

from sandbox.engine.program.answers import RAY_TOKEN, command_answer
from sandbox.engine.stack.files import stack_config
from tests.infra.kuberay.made import ALL, JOB, SERVICE, program, task
from tests.program import SECRETS, plain_texts, reveal, run_program

CUSTOM = "kubernetes:ray.io/v1:"
FAILED = {"status": "FAILED", "reason": "AppFailed", "message": "no such file: primes.py"}


@pytest.mark.parametrize("preview", [True, False])
def test_a_preview_registers_what_up_registers(preview: bool) -> None:
    made = program(ALL, preview=preview)
    assert {one.name for one in made.resources} == {one.name for one in program(ALL).resources}
    for resource in made.resources:
        for secret in SECRETS:
            assert secret not in " ".join(plain_texts(resource.inputs)), resource.urn


def test_the_operator_may_do_nothing_outside_of_its_namespaces() -> None:
    made = program(ALL)
    assert made.of_type("ClusterRole") == []
    places = {one.name: reveal(one.inputs)["metadata"]["namespace"] for one in made.of_type(":Role")}
    assert places == {
        "kuberay-leading-role": "kuberay-system",
        "kuberay-leading-binding": "kuberay-system",
        "kuberay-watching-role": "ray",
        "kuberay-watching-binding": "ray",
    }
    container = reveal(made.named("kuberay-operator").inputs)["spec"]["template"]["spec"]["containers"][0]
    assert "--watch-namespace=ray" in container["args"]
    assert "--feature-gates=RayCronJob=true" in container["args"]


def test_the_operator_may_give_the_autoscaler_what_it_gives_it() -> None:
    """Kubernetes lets nobody make a Role with more than the maker has."""
    # BuildRole in ray-operator/controllers/ray/common/rbac.go
    wanted = [
        ("", "pods", {"get", "list", "watch", "patch"}),
        ("", "pods/resize", {"patch"}),
        ("ray.io", "rayclusters", {"get", "patch"}),
    ]
    rules = reveal(program().named("kuberay-watching-role").inputs)["rules"]
    for group, resource, verbs in wanted:
        held = [set(r["verbs"]) for r in rules if group in r["apiGroups"] and resource in r["resources"]]
        assert verbs <= set().union(*held), resource


def test_no_init_container_of_a_fixed_size_is_put_into_the_workers() -> None:
    operator = reveal(program().named("kuberay-operator").inputs)["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "ENABLE_INIT_CONTAINER_INJECTION", "value": "false"} in operator["env"]
    assert operator["resources"]["limits"]["memory"] == "256Mi"


def test_nothing_is_made_before_what_looks_after_it_and_goes_before_it_does() -> None:
    """Pulumi removes in the opposite order: custom resources, the operator, its Roles, the definitions."""
    made = program(ALL)
    operator, definitions = made.named("kuberay-operator"), made.named("ray-definitions")
    for resource in made.of_type(CUSTOM):
        assert made.comes_after(resource, operator)
        assert made.comes_after(resource, made.named("ray-cluster-auth"))
        for policy in made.of_type(":NetworkPolicy"):
            assert made.comes_after(resource, policy)
    for role in made.of_type(":Role"):
        assert made.comes_after(operator, role)
    assert made.comes_after(operator, definitions)


def test_custom_resources_have_a_provider_that_starts_when_their_kinds_are_known() -> None:
    made = program(ALL)
    provider = made.named("ray-custom-provider")
    assert made.comes_after(provider, made.named("ray-definitions"))
    for resource in made.of_type(CUSTOM):
        assert resource.request.provider.startswith(provider.urn)


def test_jobs_and_services_wait_until_the_cluster_works() -> None:
    made = program(ALL)
    for resource in made.of_type(CUSTOM):
        if resource.name != "ray-cluster":
            assert made.comes_after(resource, made.named("ray-cluster-ready"))


def test_what_has_a_finalizer_is_removed_by_a_step_of_its_own_even_if_it_never_worked() -> None:
    made = program(ALL)
    for name in ("ray-job-primes", "ray-service-hello", "ray-cron-job-nightly"):
        guard = made.named(f"{name}-guard")
        assert made.comes_after(guard, made.named(name))
        assert not made.comes_after(guard, made.named("ray-job-primes-ready"))
        assert guard.inputs["create"] == ":"
        assert guard.inputs["delete"].endswith("-m infra.kuberay remove")
        assert task(guard)["name"] == reveal(made.named(name).inputs)["metadata"]["name"]


@pytest.mark.parametrize("mode", ["deployments", "kuberay"])
def test_the_pods_of_the_other_mode_go_before_those_of_this_one_come(mode: str) -> None:
    keys = {**stack_config("dev"), "piray:ray": json.dumps({"mode": mode})}
    made = run_program(keys, stack="dev", preview=False, answer=command_answer)
    command = made.named("ray-mode")
    assert command.inputs["create"] == command.inputs["update"]
    assert command.inputs["create"].endswith(f"-m infra.kuberay room {mode}")
    pods = [one for one in made.resources if one.name in {"ray-head", "ray-worker", "ray-cluster"}]
    assert len(pods) == (2 if mode == "deployments" else 1)
    for one in pods:
        assert made.comes_after(one, command)


def test_another_mode_keeps_all_but_the_pods() -> None:
    def shared(mode: str) -> dict[str, Any]:
        keys = {**stack_config("dev"), "piray:ray": json.dumps({"mode": mode})}
        made = run_program(keys, stack="dev", preview=False, answer=command_answer)
        return {one.urn: reveal(one.inputs) for one in made.resources if one.name != "ray-mode"}

    plain, kuberay = shared("deployments"), shared("kuberay")
    assert {urn.rsplit("::", 1)[-1] for urn in plain.keys() - kuberay.keys()} == {
        "ray-auth",
        "ray-head",
        "ray-worker",
    }
    both = plain.keys() & kuberay.keys()
    assert {urn: plain[urn] for urn in both} == {urn: kuberay[urn] for urn in both}
    kept = {urn.rsplit("::", 1)[-1] for urn in both}
    assert {"ray-namespace", "ray-service", "ray-peers", "pi-job"} <= kept


def test_definitions_come_from_the_release_or_the_mirror_with_pinned_sums() -> None:
    release = task(program().named("ray-definitions"))
    assert release["definitions_url"].startswith(
        "https://raw.githubusercontent.com/ray-project/kuberay/v1.6.2/"
    )
    assert sorted(release["definitions"]) == [
        f"ray.io_{kind}.yaml" for kind in ("rayclusters", "raycronjobs", "rayjobs", "rayservices")
    ]
    k3s = json.dumps({"mirror": "http://198.51.100.1:8000"})
    mirrored = task(program(config={"piray:k3s": k3s}).named("ray-definitions"))
    assert mirrored["definitions_url"] == "http://198.51.100.1:8000/kuberay/v1.6.2"
    assert mirrored["definitions"] == release["definitions"]


def test_a_changed_job_runs_anew_and_is_waited_for_again() -> None:
    before, after = program({"jobs": [JOB]}), program({"jobs": [{**JOB, "entrypoint": "python other.py"}]})
    job = before.named("ray-job-primes")
    assert list(job.request.replaceOnChanges) == ["spec"]
    assert job.request.deleteBeforeReplace
    told = [task(made.named("ray-job-primes-ready")) for made in (before, after)]
    assert told[0]["declared"] != told[1]["declared"]
    assert {**told[0], "declared": ""} == {**told[1], "declared": ""}


def test_the_cluster_is_waited_for_until_each_group_has_its_least_workers() -> None:
    told = task(program(ALL).named("ray-cluster-ready"))
    assert told["least"] == {"worker": 0}
    assert task(program().named("ray-cluster-ready"))["least"] == {"worker": 3}
    pod = reveal(program().named("ray-cluster").inputs)["spec"]["headGroupSpec"]["template"]
    told = task(program().named("ray-cluster-ready"))
    assert told["revision"] == pod["metadata"]["annotations"]["piray/revision"]


def test_the_runner_is_told_the_mode_the_groups_and_the_services() -> None:
    outputs = program({"services": [SERVICE]}).outputs
    assert (outputs["rayMode"], outputs["rayCluster"]) == ("kuberay", "ray")
    assert outputs["headService"] == "ray-head"
    assert outputs["groups"]["worker"] == {
        "replicas": 3,
        "minReplicas": 3,
        "maxReplicas": 3,
        "cpus": 3,
        "memoryMib": 1536,
    }
    assert outputs["services"] == {"hello": {"service": "hello-serve-svc", "port": 8000, "route": "/"}}
    assert reveal(outputs["rayToken"]) == RAY_TOKEN


def test_a_job_that_fails_fails_no_up_and_the_stack_says_what_happened() -> None:
    made = program({"jobs": [JOB]}, said={"ray-job-primes-ready": json.dumps(FAILED)})
    assert reveal(made.outputs["jobs"])["primes"] == FAILED
