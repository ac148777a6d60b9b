"""Kubernetes objects of the test engine: names and replacements as pulumi-kubernetes has them."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.engine.kubernetes.objects import KubernetesObject
from sandbox.engine.provider import Context
from sandbox.engine.stack.resource import Resource
from tests.sandbox.engine.scenario import Scenario

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
CUSTOM = """
import pulumi_kubernetes as kubernetes
kubeconfig = Output.secret(settings["kubeconfig"])
provider = kubernetes.Provider("cluster", kubeconfig=kubeconfig, cluster_identifier="one",
                               upsert_existing_objects=True, enable_patch_force=True)
opts = ResourceOptions(provider=provider)
group = settings["group"]
spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
version = {"name": "v1", "served": True, "storage": True,
           "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}
definition = kubernetes.apiextensions.v1.CustomResourceDefinition(
    "definition", metadata={"name": f"boxes.{group}"}, opts=opts,
    spec={"group": group, "scope": "Namespaced", "versions": [version],
          "names": {"plural": "boxes", "singular": "boxe", "kind": "Boxe", "listKind": "BoxeList"}},
)
if settings["box"]:
    box = kubernetes.apiextensions.CustomResource(
        "box", api_version=f"{group}/v1", kind="Boxe", metadata={"name": "box", "namespace": "default"},
        spec={"size": settings["size"]},
        opts=ResourceOptions(provider=provider, depends_on=[definition],
                             replace_on_changes=["spec"] if settings["anew"] else None),
    )
"""
# Its kubeconfig is what a Command prints, as that of k3s is.
BLIND = OBJECTS.replace(
    'Output.secret(settings["kubeconfig"])',
    'Output.secret(command("k3s", settings["kubeconfig"] + settings["comment"]).stdout)',
)
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
def test_a_preview_that_cannot_reach_the_cluster_takes_every_object_for_changed(cluster: Scenario) -> None:
    cluster.program(BLIND, comment="")
    assert cluster.up().code == 0
    cluster.set(comment="# another one")
    planned, up = cluster.preview(), cluster.up()
    assert planned.code == 0, planned.said
    assert planned.changes == {("update", name) for name in ("k3s", "cluster", *OBJECT_NAMES)}
    assert up.changes == {("update", "k3s"), ("update", "cluster")}


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


@pytest.fixture
def boxes(scenario: Scenario) -> Iterator[Scenario]:
    """A program with a definition of a kind and an object of that kind, on a real API server."""
    kubeconfig = os.environ.get("PIRAY_TEST_KUBECONFIG")
    if not kubeconfig:
        pytest.skip("PIRAY_TEST_KUBECONFIG names no cluster")
    group = f"e{uuid.uuid4().hex[:8]}.example.org"
    text = Path(kubeconfig).read_text()
    scenario.program(CUSTOM, kubeconfig=text, group=group, box=True, size=1, anew=False)
    try:
        yield scenario
    finally:
        down = scenario.destroy()
        assert down.code == 0, down.said


@pytest.mark.cluster
def test_an_object_of_a_kind_that_comes_with_it_is_made_changed_and_removed(boxes: Scenario) -> None:
    planned = boxes.preview()
    assert planned.code == 0, planned.said
    up = boxes.up()
    assert up.code == 0, up.said
    assert planned.changes == up.changes
    assert {("create", "definition"), ("create", "box")} <= up.changes
    boxes.set(size=2)
    assert boxes.preview().changes == boxes.up().changes == {("update", "box")}
    boxes.set(size=3, anew=True)
    up = boxes.up()
    assert up.code == 0, up.said
    assert up.names("replace") == {"box"}
    boxes.set(box=False)
    assert boxes.up().changes == {("delete", "box")}


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
