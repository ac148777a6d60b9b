"""What others have changed of an object, by the fields that the API server says are theirs."""

import json
from typing import Any

import pytest

from infra.recovery.cluster import changes_by_others
from infra.recovery.drift import changed_fields, kubeconfig_of, objects_of

DECLARED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "ray-worker", "namespace": "ray", "labels": {"app": "ray"}},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "ray", "image": "ray:1"}]}}},
}
IMAGE: dict[str, Any] = {
    "f:template": {"f:spec": {"f:containers": {'k:{"name":"ray"}': {".": {}, "f:image": {}}}}}
}
KUBECTL = {"manager": "kubectl", "operation": "Update", "time": "2026-11-27T10:00:00Z"}


def live(*managers: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(managers)}}


def of(manager: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**manager, "fieldsV1": {"f:spec": {f"f:{key}": value for key, value in spec.items()}}}


def test_a_field_that_somebody_else_has_set_is_named_with_who_and_when() -> None:
    ours = of({"manager": "piray"}, template=IMAGE["f:template"])
    theirs = {**of(KUBECTL, replicas={}), "subresource": "scale"}
    assert changed_fields(DECLARED, live(ours, theirs)) == [
        "spec.replicas (by kubectl, 2026-11-27T10:00:00Z)"
    ]


def test_a_field_of_an_element_is_named_by_the_element() -> None:
    (said,) = changed_fields(DECLARED, live(of(KUBECTL, template=IMAGE["f:template"])))
    assert said.startswith("spec.template.spec.containers[ray].image (by kubectl")


def test_what_is_ours_or_nobody_declares_is_no_change() -> None:
    ours = of({"manager": "piray"}, replicas={}, template=IMAGE["f:template"])
    status = {**of({"manager": "kube-controller-manager"}, replicas={}), "subresource": "status"}
    others = of(KUBECTL, replicas={}, paused={}, strategy={"f:type": {}})
    assert changed_fields(DECLARED, live(ours, status, others)) == []
    assert changed_fields(DECLARED, live()) == []
    older = of({"manager": "pulumi-kubernetes-1a2b3c4d"}, replicas={})
    assert changed_fields(DECLARED, live(older, of(KUBECTL, replicas={}))) == []


@pytest.mark.parametrize("scaled", [True, False])
def test_what_ray_s_autoscaler_sets_is_no_change_by_others(scaled: bool) -> None:
    groups = [{"groupName": "worker", "replicas": 1}]
    spec = {"workerGroupSpecs": groups, "rayVersion": "2.60.0", "enableInTreeAutoscaling": scaled}
    cluster = {**DECLARED, "kind": "RayCluster", "spec": spec}
    theirs = of({**KUBECTL, "manager": "python"}, workerGroupSpecs={}, rayVersion={})
    said = [line.partition(" ")[0] for line in changed_fields(cluster, live(theirs))]
    assert said == (["spec.rayVersion"] if scaled else ["spec.rayVersion", "spec.workerGroupSpecs"])


def test_what_the_operator_writes_back_is_no_change_by_others() -> None:
    spec = {"entrypoint": "a", "rayClusterSpec": {"rayVersion": "1"}, "submitterPodTemplate": {"spec": {}}}
    job = {**DECLARED, "kind": "RayJob", "spec": spec}
    written: dict[str, Any] = {"rayClusterSpec": {"f:rayVersion": {}}, "submitterPodTemplate": {"f:spec": {}}}
    theirs = of({**KUBECTL, "manager": "kuberay-operator"}, entrypoint={}, **written)
    assert [line.partition(" ")[0] for line in changed_fields(job, live(theirs))] == ["spec.entrypoint"]


def test_a_cluster_that_cannot_be_asked_has_no_changes() -> None:
    user = {"client-certificate-data": "", "client-key-data": ""}
    cluster = {"server": "https://127.0.0.1:1", "certificate-authority-data": ""}
    unreachable = {"clusters": [{"cluster": cluster}], "users": [{"user": user}]}
    for kubeconfig in ("", "no: yaml: at all", "[]", json.dumps(unreachable)):
        assert changes_by_others(kubeconfig, [DECLARED]) == []


def test_kubeconfig_and_objects_are_found_in_a_state() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    provider = {
        "type": "pulumi:providers:kubernetes",
        "inputs": {"kubeconfig": {**secret, "plaintext": '"the config"'}},
    }
    worker = {"type": "kubernetes:apps/v1:Deployment", "id": "ray/ray-worker", "inputs": DECLARED}
    state = {"deployment": {"resources": [provider, worker, {"type": "x:y:Z"}]}}
    assert kubeconfig_of(state) == "the config"
    assert objects_of(state) == [DECLARED]
    assert (kubeconfig_of({}), objects_of({"deployment": None})) == ("", [])


@pytest.mark.parametrize("mark", ["delete", "pendingReplacement", "taint", "initErrors"])
def test_nobody_else_is_blamed_for_what_a_run_of_ours_has_left_half_done(mark: str) -> None:
    job = {"type": "kubernetes:batch/v1:Job", "id": "ray/pi-job", "inputs": {"kind": "Job"}}
    assert objects_of({"deployment": {"resources": [{**job, mark: ["true"]}]}}) == []
