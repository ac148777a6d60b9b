"""When the test engine takes an object for ready or gone: as pulumi-kubernetes does."""

from threading import Event
from typing import Any

import pytest

from sandbox.engine.kubernetes.waits import NotReadyError, wait_until_gone, wait_until_ready


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
