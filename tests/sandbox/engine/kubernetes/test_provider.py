"""Kubernetes objects of the test engine: names, replacements and waiting as pulumi-kubernetes has them."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sandbox.engine.kubernetes.objects import KubernetesObject
from sandbox.engine.kubernetes.waits import NotReadyError, wait_until_gone, wait_until_ready
from sandbox.engine.provider import Context
from sandbox.engine.stack.resource import Resource
from tests.sandbox.engine.scenario import ENGINES, REAL, Scenario

OBJECTS = """
import pulumi_kubernetes as kubernetes
kubeconfig = Output.secret(settings["kubeconfig"])
provider = kubernetes.Provider("cluster", kubeconfig=kubeconfig, cluster_identifier="one")
opts = ResourceOptions(provider=provider)
namespace = kubernetes.core.v1.Namespace("space", metadata={"name": settings["namespace"]}, opts=opts)
place = {"namespace": namespace.metadata.name}
config = kubernetes.core.v1.ConfigMap("config", metadata=place, data={"key": settings["data"]}, opts=opts)
token = {"token": settings["token"]}
secret = kubernetes.core.v1.Secret("auth", metadata=place, string_data=token, opts=opts)
labels = {"app": "sleeper"}
pod = {
    "containers": [{"name": "sleeper", "image": "pause"}],
    "volumes": [{"name": "config", "config_map": {"name": config.metadata.name}}],
}
deployment = kubernetes.apps.v1.Deployment(
    "sleepers", metadata={**place, "name": "sleepers"}, opts=opts,
    spec={"replicas": 0, "selector": {"matchLabels": labels}, "revisionHistoryLimit": settings["history"],
          "template": {"metadata": {"labels": labels}, "spec": pod}},
)
service = kubernetes.core.v1.Service(
    "service", metadata={**place, "name": "service"}, opts=opts,
    spec={"clusterIP": "None", "selector": labels, "ports": [{"port": settings["port"]}],
          "sessionAffinity": settings["affinity"]},
)
job = kubernetes.batch.v1.Job(
    "job", metadata={**place, "annotations": {"pulumi.com/replaceUnready": "true"}}, opts=opts,
    spec={"completions": 0, "parallelism": 1, "backoffLimit": settings["retries"],
          "template": {"spec": {**pod, "restartPolicy": "Never"}}},
)
pulumi.export("config", config.metadata.name)
pulumi.export("job", job.metadata.name)
pulumi.export("auth", secret.data)
"""
UNREACHABLE = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: c}}]
current-context: c
users: [{name: c, user: {token: t}}]
"""
SETTINGS = {"data": "a", "token": "5ecret" * 8, "history": 1, "port": 80, "affinity": "None", "retries": 1}
OBJECT_NAMES = {"space", "config", "auth", "sleepers", "service", "job"}


@pytest.fixture(params=ENGINES)
def scenario(tmp_path: Path, request: pytest.FixtureRequest) -> Scenario:
    return Scenario(tmp_path, real=request.param == REAL)


@pytest.fixture
def cluster(scenario: Scenario) -> Iterator[Scenario]:
    """The program with its objects on a real API server, in a namespace of its own."""
    kubeconfig = os.environ.get("PIRAY_TEST_KUBECONFIG")
    if not kubeconfig:
        pytest.skip("PIRAY_TEST_KUBECONFIG names no cluster")
    text = Path(kubeconfig).read_text()
    scenario.program(OBJECTS, kubeconfig=text, namespace=f"engine-{uuid.uuid4().hex[:8]}", **SETTINGS)
    up = scenario.up()
    try:
        assert up.code == 0, up.said
        yield scenario
    finally:
        down = scenario.destroy()
        assert down.code == 0, down.said


@pytest.mark.cluster
def test_objects_are_made_once_and_their_changes_applied(cluster: Scenario) -> None:
    assert cluster.up().changes == set()
    cluster.set(history=3, affinity="ClientIP")
    planned = cluster.preview()
    assert planned.code == 0, planned.said
    up = cluster.up()
    assert up.code == 0, up.said
    assert planned.changes == up.changes == {("update", "sleepers"), ("update", "service")}
    assert cluster.up().changes == set()


@pytest.mark.cluster
def test_an_update_that_the_cluster_would_refuse_fails_in_the_preview(cluster: Scenario) -> None:
    cluster.set(affinity="Nobody")
    planned = cluster.preview()
    assert planned.code != 0
    assert "Preview failed: " in planned.said
    assert 'Service "service" is invalid' in planned.said
    up = cluster.up()
    assert up.code != 0
    assert '/service" failed to fully initialize or become live: Service "service" is invalid' in up.said
    cluster.set(affinity="None")
    up = cluster.up()
    assert up.code == 0, up.said
    assert up.changes == {("update", "service")}


@pytest.mark.cluster
def test_until_the_first_update_the_preview_keeps_what_the_create_has_set(cluster: Scenario) -> None:
    cluster.set(port=81)
    planned = cluster.preview()
    assert planned.code != 0
    assert "spec.ports[0].name: Required value" in planned.said
    assert cluster.up().changes == {("update", "service")}
    cluster.set(port=82)
    planned = cluster.preview()
    assert planned.code == 0, planned.said
    assert planned.changes == {("update", "service")}


@pytest.mark.cluster
def test_without_its_cluster_nothing_is_updated_or_deleted(cluster: Scenario) -> None:
    kubeconfig = cluster.settings["kubeconfig"]
    cluster.set(kubeconfig=UNREACHABLE, history=2)
    planned = cluster.preview()
    assert planned.code == 0, planned.said
    assert planned.changes == {("update", "sleepers")}
    up = cluster.up()
    assert up.code != 0
    assert "error: configured Kubernetes cluster is unreachable: " in up.said
    down = cluster.destroy()
    assert down.code != 0
    assert "error: configured Kubernetes cluster is unreachable. If the cluster was deleted, " in down.said
    cluster.set(kubeconfig=kubeconfig)
    up = cluster.up()
    assert up.code == 0, up.said


@pytest.mark.cluster
def test_another_config_map_has_another_name_and_the_old_one_goes_last(cluster: Scenario) -> None:
    before = cluster.outputs()
    cluster.set(data="b")
    up = cluster.up()
    assert up.code == 0, up.said
    assert up.names("replace") == {"config", "job"}
    assert up.names("update") == {"sleepers"}
    assert up.steps.index(("delete-replaced", "job")) < up.steps.index(("delete-replaced", "config"))
    after = cluster.outputs()
    assert after["config"].startswith("config-")
    assert after["config"] != before["config"]
    assert after["job"] != before["job"]


@pytest.mark.cluster
def test_a_secret_stays_one(cluster: Scenario) -> None:
    assert cluster.outputs()["auth"] == "[secret]"
    kept = [path.read_text() for path in cluster.state.rglob("*.json")]
    assert not any("NWVjcmV0" in text or "5ecret5ecret" in text for text in kept)


@pytest.mark.cluster
def test_an_object_of_somebody_elses_is_not_taken_over(cluster: Scenario, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = Scenario(folder, real=cluster.real)
    other.program(OBJECTS, **cluster.settings)
    up = other.up()
    assert up.code != 0
    assert f'namespaces "{cluster.settings["namespace"]}" already exists' in up.said
    assert other.destroy().code == 0
    assert cluster.up().changes == set()


def test_objects_are_previewed_without_a_cluster_and_refused_in_one_line(scenario: Scenario) -> None:
    scenario.program(OBJECTS, kubeconfig=UNREACHABLE, namespace="space", **SETTINGS)
    preview = scenario.preview()
    assert preview.code == 0, preview.said
    assert preview.names("create") == OBJECT_NAMES
    up = scenario.up()
    assert up.code != 0
    diagnostics = up.stdout.partition("Diagnostics:")[2]
    (line,) = [line for line in diagnostics.splitlines() if "configured Kubernetes cluster" in line]
    assert "error: configured Kubernetes cluster is unreachable: unable to load schema" in line
    assert "https://127.0.0.1:1/" in line


def recorded(inputs: dict[str, Any]) -> Resource:
    return Resource(
        urn="urn:pulumi:s::p::kubernetes:x::thing", type="kubernetes:x", custom=True, inputs=inputs
    )


def manifest(kind: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"namespace": "n"}, **more}


def test_a_name_is_given_once_and_a_replacement_gets_another() -> None:
    kubernetes = KubernetesObject()
    first = kubernetes.check("thing", manifest("ConfigMap"), None)
    assert first["metadata"]["name"].startswith("thing-")
    assert kubernetes.check("thing", manifest("ConfigMap"), recorded(first)) == first
    assert kubernetes.check("thing", manifest("ConfigMap"), None) != first


@pytest.mark.parametrize(
    ("kind", "change", "replaced"),
    [
        ("ConfigMap", {"data": {"key": "b"}}, True),
        ("Secret", {"stringData": {"key": "b"}}, True),
        ("Service", {"spec": {"ports": [2]}}, False),
        ("Deployment", {"spec": {"replicas": 3}}, False),
        ("Deployment", {"spec": {"selector": {"matchLabels": {"a": "b"}}}}, True),
        ("Job", {"spec": {"template": {"spec": {"x": 1}}}}, True),
        ("NetworkPolicy", {"spec": {"ingress": []}}, False),
    ],
)
def test_what_cannot_be_changed_is_replaced(kind: str, change: dict[str, Any], replaced: bool) -> None:
    old = recorded(manifest(kind))
    diff = KubernetesObject().diff(old, manifest(kind, **change), Context())
    assert diff.paths
    assert diff.replace == replaced


def test_a_name_of_the_programs_own_makes_the_old_object_go_first() -> None:
    old = manifest("ConfigMap", data={"key": "a"})
    old["metadata"]["name"] = "fixed"
    new = {**old, "data": {"key": "b"}}
    assert KubernetesObject().diff(recorded(old), new, Context()).delete_first


class Cluster:
    """Answers like an API with one object that changes from call to call."""

    def __init__(
        self, *states: dict[str, Any] | None, replica_sets: list[dict[str, Any]] | None = None
    ) -> None:
        self.states = list(states)
        self.replica_sets = replica_sets or []

    def get(self, _: str) -> dict[str, Any] | None:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def list(self, path: str, _: object) -> list[dict[str, Any]]:
        return self.replica_sets if path.endswith("/replicasets") else []


def job(condition: str = "", reason: str = "") -> dict[str, Any]:
    conditions = [{"type": condition, "status": "True", "reason": reason, "message": "so it is"}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "n"},
        "spec": {"selector": {"matchLabels": {}}},
        "status": {"startTime": "now", "conditions": conditions if condition else []},
    }


def deployment(available: str, revision: str = "1") -> dict[str, Any]:
    conditions = [
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        {"type": "Available", "status": available, "reason": "MinimumReplicasUnavailable", "message": "none"},
    ]
    annotations = {"deployment.kubernetes.io/revision": revision}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "d",
            "namespace": "n",
            "uid": "1",
            "generation": 2,
            "annotations": annotations,
        },
        "spec": {"selector": {"matchLabels": {}}},
        "status": {"observedGeneration": 2, "conditions": conditions},
    }


def replica_set(revision: str, ready: int) -> dict[str, Any]:
    return {
        "metadata": {
            "ownerReferences": [{"uid": "1"}],
            "annotations": {"deployment.kubernetes.io/revision": revision},
        },
        "spec": {"replicas": 2},
        "status": {"readyReplicas": ready},
    }


def wait(api: Any, live: dict[str, Any], timeout_s: float = 5) -> dict[str, Any]:
    return wait_until_ready(api, live, timeout_s, Event())


def test_a_job_is_waited_for_until_it_is_complete() -> None:
    assert wait(Cluster(job(), job("Complete")), job()) == job("Complete")


def test_a_job_that_has_failed_is_given_up_at_once_with_the_reason() -> None:
    with pytest.raises(NotReadyError, match=r"^\[DeadlineExceeded\] so it is"):
        wait(Cluster(job("Failed", "DeadlineExceeded")), job("Failed", "DeadlineExceeded"), timeout_s=60)


def test_a_job_that_failed_for_another_reason_is_waited_for_to_the_end() -> None:
    failed = job("Failed", "PodFailurePolicy")
    with pytest.raises(NotReadyError, match=r"^timed out: \[PodFailurePolicy\]"):
        wait(Cluster(failed), failed, timeout_s=0.1)


def test_a_deployment_is_ready_when_the_replica_set_of_its_revision_is() -> None:
    live = deployment("True", revision="2")
    old, new = replica_set("1", 2), replica_set("2", 2)
    assert wait(Cluster(live, replica_sets=[old, new]), live) == live
    with pytest.raises(NotReadyError, match="1/2 Pods available"):
        wait(Cluster(live, replica_sets=[old, replica_set("2", 1)]), live, timeout_s=0.1)


def test_a_deployment_that_is_not_available_says_so_in_the_end() -> None:
    live = deployment("False")
    with pytest.raises(NotReadyError, match=r"timed out: \[MinimumReplicasUnavailable\] none"):
        wait(Cluster(live), live, timeout_s=0.1)


def test_an_object_that_stays_is_named_with_what_keeps_it() -> None:
    gone: Any = Cluster(job(), None)
    wait_until_gone(gone, "/x", 5, Event())
    stays: Any = Cluster({"metadata": {"finalizers": ["keep"]}})
    with pytest.raises(NotReadyError, match="keep"):
        wait_until_gone(stays, "/x", 0.1, Event())
