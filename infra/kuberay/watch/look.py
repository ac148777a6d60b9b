"""Asks the cluster what it says of one custom resource."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.api_server import ApiError, ApiServer
from infra.kuberay.removal import Operator, resource_path
from infra.kuberay.task import Task
from infra.kuberay.watch.loop import WatchError
from infra.kuberay.watch.verdict import Sight
from infra.names import LABEL_APP, LABEL_RAY_CLUSTER

_LOG_LINES = 200


def look(server: ApiServer, task: Task) -> Sight:
    """Return what the cluster says of the resource of a task.

    Raises:
        WatchError: If the resource is not there.
        ApiError: If the cluster does not answer.
    """
    live = server.get(resource_path(task.kind, task.namespace, task.name))
    if live is None:
        raise WatchError("it is not there; somebody has removed it: run make up again")
    root = f"/api/v1/namespaces/{task.namespace}"
    pods: list[dict[str, Any]] = []
    for cluster in _clusters(live):
        pods += server.items(f"{root}/pods", labelSelector=f"{LABEL_RAY_CLUSTER}={cluster}")
    selector = f"involvedObject.uid={live['metadata']['uid']},type=Warning"
    events = server.items(f"{root}/events", fieldSelector=selector)
    events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return Sight(
        live=live,
        pods=pods,
        warnings=[str(event.get("message", "")) for event in events],
        # Only this kind has reasons that are nowhere else, such as an image without Ray Serve.
        logged=logged_error(server, task) if task.kind == "RayService" else "",
    )


def logged_error(server: ApiServer, task: Task) -> str:
    """Return the error that the operator has logged last of a resource; empty if there is none."""
    found = ""
    for line in _operator_log(server, task.operator):
        about = line.get(task.kind)
        ours = isinstance(about, dict) and about.get("name") == task.name
        if ours and line.get("level") == "error":
            found = str(line.get("error", ""))
    return found


def _operator_log(server: ApiServer, operator: Operator) -> Iterator[Mapping[str, Any]]:
    root = f"/api/v1/namespaces/{operator.namespace}/pods"
    try:
        pods = server.items(root, labelSelector=f"{LABEL_APP}={operator.name}")
        texts = [server.text(f"{root}/{pod['metadata']['name']}/log?tailLines={_LOG_LINES}") for pod in pods]
    except ApiError:
        # A pod that starts or goes has no log: it only adds to what is known.
        return
    for line in "\n".join(texts).splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def _clusters(live: Mapping[str, Any]) -> list[str]:
    """Return the names of the RayClusters that a custom resource is, or has made."""
    if live["kind"] == "RayCluster":
        return [str(live["metadata"]["name"])]
    status = live.get("status") or {}
    parts = [status, status.get("activeServiceStatus") or {}, status.get("pendingServiceStatus") or {}]
    return [str(part["rayClusterName"]) for part in parts if part.get("rayClusterName")]
