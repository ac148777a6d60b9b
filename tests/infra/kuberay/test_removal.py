"""What KubeRay has on a cluster goes, whether the operator works or not; on a double of the API server."""

from typing import Any

import pytest

from infra.api_server import ApiError
from infra.kuberay import removal
from infra.kuberay.removal import Operator, make_room, remove, remove_all
from tests.infra.kuberay.cluster_double import OPERATOR, ClusterDouble, custom

WHERE = Operator("kuberay-system", "kuberay-operator")
FINALIZER = "ray.io/rayjob-finalizer"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_POLL_S", 0.0)


def working() -> dict[str, dict[str, Any]]:
    return {OPERATOR: {"metadata": {"name": "kuberay-operator"}, "status": {"availableReplicas": 1}}}


def operate(cluster: ClusterDouble) -> None:
    """Do as the operator does: take the finalizer off what is to go."""
    for path, one in list(cluster.objects.items()):
        if "deletionTimestamp" in one["metadata"]:
            one["metadata"]["finalizers"] = []
            del cluster.objects[path]


def test_a_job_goes_when_the_operator_lets_it() -> None:
    path, job = custom("RayJob", "primes", FINALIZER)
    cluster = ClusterDouble({path: job, **working()}, operate)
    assert remove(cluster, "RayJob", "ray", "primes", WHERE)  # type: ignore[arg-type]
    assert path not in cluster.objects
    assert "CHANGE" not in [verb for verb, _ in cluster.calls]


def test_a_job_goes_though_the_operator_has_died_first() -> None:
    path, job = custom("RayJob", "primes", FINALIZER)
    cluster = ClusterDouble({path: job})
    assert remove(cluster, "RayJob", "ray", "primes", WHERE)  # type: ignore[arg-type]
    assert path not in cluster.objects


def test_a_job_goes_though_the_operator_runs_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_OPERATOR_S", 0.0)
    path, job = custom("RayJob", "primes", FINALIZER)
    cluster = ClusterDouble({path: job, **working()})
    assert remove(cluster, "RayJob", "ray", "primes", WHERE)  # type: ignore[arg-type]


def test_finalizers_of_kubernetes_itself_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_GONE_S", 0.0)
    monkeypatch.setattr(removal, "_OPERATOR_S", 0.0)
    path, job = custom("RayJob", "primes", FINALIZER, "foregroundDeletion")
    cluster = ClusterDouble({path: job})
    with pytest.raises(ApiError, match="RayJob primes does not go; `kubectl -n ray get pods`"):
        remove(cluster, "RayJob", "ray", "primes", WHERE)  # type: ignore[arg-type]
    assert cluster.objects[path]["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_what_kubernetes_has_done_since_the_look_is_not_taken_back() -> None:
    path, job = custom("RayJob", "primes", FINALIZER, "foregroundDeletion")

    def collect_garbage(cluster: ClusterDouble) -> None:
        if cluster.calls[-1:] == [("LIST", path.rpartition("/")[0])] and path in cluster.objects:
            metadata = cluster.objects[path]["metadata"]
            if "foregroundDeletion" in metadata["finalizers"] and "deletionTimestamp" in metadata:
                metadata.update(finalizers=[FINALIZER], resourceVersion=metadata["resourceVersion"] + 1)

    cluster = ClusterDouble({path: job}, collect_garbage)
    assert remove(cluster, "RayJob", "ray", "primes", WHERE)  # type: ignore[arg-type]
    assert path not in cluster.objects


def test_what_is_not_there_is_removed_already() -> None:
    assert not remove(ClusterDouble({}), "RayJob", "ray", "primes", WHERE)  # type: ignore[arg-type]


def test_all_that_users_have_made_goes_makers_before_what_they_make() -> None:
    made = [
        ("RayCluster", "mine"),
        ("RayJob", "nightly-1"),
        ("RayService", "hello"),
        ("RayCronJob", "nightly"),
    ]
    cluster = ClusterDouble(dict(custom(kind, name, FINALIZER) for kind, name in made))
    gone = remove_all(cluster, "ray", WHERE)  # type: ignore[arg-type]
    assert gone == ["RayCronJob nightly", "RayService hello", "RayJob nightly-1", "RayCluster mine"]
    assert cluster.objects == {}


def test_a_cluster_without_kuberay_has_nothing_to_remove() -> None:
    assert make_room(ClusterDouble({}), "ray", "deployments", WHERE) == []  # type: ignore[arg-type]


def test_room_for_kuberay_is_where_the_deployments_were() -> None:
    root = "/apis/apps/v1/namespaces/ray/deployments"
    objects = {f"{root}/{name}": {"metadata": {"name": name}} for name in ("ray-head", "ray-worker")}
    pods = {"/api/v1/namespaces/ray/pods/ray-head-1": {"metadata": {"name": "ray-head-1"}}}

    def end_pods(cluster: ClusterDouble) -> None:
        if not any(path.startswith(root) for path in cluster.objects):
            cluster.objects.clear()

    cluster = ClusterDouble({**objects, **pods}, end_pods)
    removed = make_room(cluster, "ray", "kuberay", WHERE)  # type: ignore[arg-type]
    assert removed == ["Deployment ray-head", "Deployment ray-worker"]
    assert cluster.objects == {}
