"""When an object is ready, and when it is gone, by the rules of pulumi-kubernetes.

https://github.com/pulumi/pulumi-kubernetes/tree/master/provider/pkg/await
"""

import time
from collections.abc import Mapping
from threading import Event
from typing import Any

from sandbox.engine.kubernetes.api import Api, UnreachableError, object_path

_POLL_S = 0.5
_REVISION = "deployment.kubernetes.io/revision"
# Reasons of a failed Job for which the provider gives up; for others it waits to the end.
_FATAL = ("BackoffLimitExceeded", "DeadlineExceeded")


class NotReadyError(Exception):
    """The object does not work, or not in time, or nobody waits for it any more."""


def wait_until_ready(api: Api, live: dict[str, Any], timeout_s: float, cancelled: Event) -> dict[str, Any]:
    """Wait as the provider does for objects of this kind and return the object.

    Raises:
        NotReadyError: With what the object and its pods say.
    """
    path = object_path(live)
    problem = _unready(api, live)
    deadline = time.monotonic() + timeout_s
    while problem is not None:
        if _fatal(live) or time.monotonic() > deadline or cancelled.is_set():
            reason = "" if _fatal(live) else "cancelled: " if cancelled.is_set() else "timed out: "
            raise NotReadyError(reason + "; ".join([problem, *_pods(api, live)]))
        cancelled.wait(_POLL_S)
        try:
            live = api.get(path) or live
            problem = _unready(api, live)
        except UnreachableError as error:
            problem = str(error)
    return live


def wait_until_gone(api: Api, path: str, timeout_s: float, cancelled: Event) -> None:
    """Wait until an object that was told to go is no longer there.

    Raises:
        NotReadyError: If it stays.
    """
    deadline = time.monotonic() + timeout_s
    while (live := api.get(path)) is not None:
        if time.monotonic() > deadline or cancelled.is_set():
            waiting = live.get("metadata", {}).get("finalizers") or live.get("status")
            raise NotReadyError(f"it is still there: {waiting}")
        cancelled.wait(_POLL_S)


def is_ready(live: Mapping[str, Any]) -> bool:
    """Say whether a Job is complete; other kinds are not asked."""
    return live.get("kind") != "Job" or _unready_job(live) is None


def _unready(api: Api, live: Mapping[str, Any]) -> str | None:
    if live["kind"] == "Deployment":
        return _unready_deployment(api, live)
    return _unready_job(live) if live["kind"] == "Job" else None


def _unready_job(live: Mapping[str, Any]) -> str | None:
    status = live.get("status", {})
    conditions = _conditions(live)
    if "startTime" in status and conditions.get("Complete", {}).get("status") == "True":
        return None
    failed = conditions.get("Failed", {})
    if failed.get("status") == "True":
        return f"[{failed.get('reason')}] {failed.get('message')}"
    counts = " | ".join(f"{key.title()}: {status.get(key, 0)}" for key in ("active", "succeeded", "failed"))
    return f"Waiting for Job {live['metadata']['name']!r} to succeed ({counts})"


def _fatal(live: Mapping[str, Any]) -> bool:
    failed = _conditions(live).get("Failed", {})
    return live["kind"] == "Job" and failed.get("status") == "True" and failed.get("reason") in _FATAL


def _unready_deployment(api: Api, live: Mapping[str, Any]) -> str | None:
    """Judge a Deployment by its conditions and by the ReplicaSet of its present revision."""
    metadata, status = live["metadata"], live.get("status", {})
    if status.get("observedGeneration") != metadata["generation"]:
        return "the Deployment has not been looked at by its controller"
    conditions = _conditions(live)
    for name in ("Progressing", "Available"):
        condition = conditions.get(name, {})
        if condition.get("status") != "True":
            return f"[{condition.get('reason', name)}] {condition.get('message', 'not yet')}"
    revision = metadata.get("annotations", {}).get(_REVISION)
    if revision != "1" and conditions["Progressing"].get("reason") != "NewReplicaSetAvailable":
        return f"[{conditions['Progressing'].get('reason')}] {conditions['Progressing'].get('message')}"
    place = object_path(live).rsplit("/", 2)[0]
    for one in api.list(f"{place}/replicasets", live["spec"]["selector"]["matchLabels"]):
        owned = any(owner["uid"] == metadata["uid"] for owner in one["metadata"].get("ownerReferences", []))
        if owned and one["metadata"].get("annotations", {}).get(_REVISION) == revision:
            ready, wanted = one.get("status", {}).get("readyReplicas", 0), one["spec"].get("replicas", 1)
            return None if ready >= wanted else f"{ready}/{wanted} Pods available"
    return "its ReplicaSet is not there yet"


def _conditions(live: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["type"]: one for one in live.get("status", {}).get("conditions") or []}


def _pods(api: Api, live: Mapping[str, Any]) -> list[str]:
    """Return what keeps the object's pods from running, one text for each."""
    labels = live["spec"]["selector"]["matchLabels"]
    try:
        pods = api.list(f"/api/v1/namespaces/{live['metadata']['namespace']}/pods", labels)
    except Exception:  # noqa: BLE001 — it only adds to an error
        return []
    return [
        f"[Pod {pod['metadata']['name']}]: {reason}"
        for pod in pods
        if (reason := _why_not_running(pod.get("status", {})))
    ]


def _why_not_running(status: Mapping[str, Any]) -> str:
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        for state in container.get("state", {}).values():
            if "reason" in state and state["reason"] != "Completed":
                return f"[{state['reason']}] {state.get('message', '')}".strip()
    unscheduled = _conditions({"status": status}).get("PodScheduled", {})
    if unscheduled.get("status") == "False":
        return f"[{unscheduled.get('reason')}] {unscheduled.get('message')}"
    return ""
