"""Removes what KubeRay has on a cluster, also when its operator is gone.

A RayJob and a RayService stay until the operator has taken its finalizer off them. Without an operator that
never happens, and whoever waits for them waits for ever.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from infra.api_server import ApiError, ApiServer, object_path
from infra.names import LABEL_APP, LABEL_RAY_CLUSTER

API_VERSION = "ray.io/v1"
# Makers before what they make.
KINDS = ("RayCronJob", "RayService", "RayJob", "RayCluster")

_OPERATOR_S = 60.0
_GONE_S = 180.0
_POLL_S = 1.0
_OURS = "ray.io/"


@dataclass(frozen=True)
class Operator:
    """Where the operator runs.

    Attributes:
        namespace: Its Namespace.
        name: Its Deployment.
    """

    namespace: str
    name: str


def remove(server: ApiServer, kind: str, namespace: str, name: str, operator: Operator) -> bool:
    """Remove a custom resource with all that it owns; say whether there was one.

    Args:
        server: The cluster.
        kind: One of KINDS.
        namespace: Where it is.
        name: Its name.
        operator: Who takes the finalizers off; if it does not, or is not there, they are taken off here.

    Raises:
        ApiError: If it does not go.
    """
    path = resource_path(kind, namespace, name)
    if not server.delete(path):
        return False
    patience_s = _OPERATOR_S if _is_running(server, operator) else 0.0
    began = time.monotonic()

    def is_gone() -> bool:
        if server.get(path) is None:
            return True
        if time.monotonic() - began >= patience_s:
            _free_all(server, namespace)
        return False

    _wait(is_gone, f"{kind} {name} does not go; `kubectl -n {namespace} get pods` shows what is left of it")
    return True


def remove_all(server: ApiServer, namespace: str, operator: Operator) -> list[str]:
    """Remove every custom resource of a Namespace, those that a user has made, too; return their names."""
    removed = []
    for kind in KINDS:
        for name in [one["metadata"]["name"] for one in _all(server, namespace, kind)]:
            if remove(server, kind, namespace, name, operator):
                removed.append(f"{kind} {name}")
    return removed


def make_room(server: ApiServer, namespace: str, mode: str, operator: Operator) -> list[str]:
    """Remove the Ray pods of the other mode, which the hosts have no memory for beside the new ones.

    Args:
        server: The cluster.
        namespace: That of Ray.
        mode: The mode that is to come: "deployments" or "kuberay".
        operator: Who takes the finalizers off.

    Returns:
        What was removed.
    """
    if mode == "deployments":
        return remove_all(server, namespace, operator)
    root = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    found = [one["metadata"]["name"] for one in server.items(root, labelSelector=f"{LABEL_APP}=ray")]
    for name in found:
        server.delete(f"{root}/{name}")
    selector = f"{LABEL_APP}=ray,!{LABEL_RAY_CLUSTER}"
    pods = f"/api/v1/namespaces/{namespace}/pods"
    _wait(
        lambda: not server.items(pods, labelSelector=selector),
        f"the pods of {', '.join(found)} do not go; `kubectl -n {namespace} get pods` shows which",
    )
    return [f"Deployment {name}" for name in found]


def resource_path(kind: str, namespace: str, name: str) -> str:
    """Return the path of a custom resource."""
    return object_path(
        {"apiVersion": API_VERSION, "kind": kind, "metadata": {"namespace": namespace, "name": name}}
    )


def _all(server: ApiServer, namespace: str, kind: str) -> list[dict[str, Any]]:
    return server.items(resource_path(kind, namespace, "").rstrip("/"))


def _is_running(server: ApiServer, operator: Operator) -> bool:
    path = f"/apis/apps/v1/namespaces/{operator.namespace}/deployments/{operator.name}"
    live = server.get(path) or {}
    return bool((live.get("status") or {}).get("availableReplicas"))


def _free_all(server: ApiServer, namespace: str) -> None:
    """Take the operator's finalizers off all that is to go, owned or not; those of Kubernetes stay."""
    for kind in KINDS:
        for live in _all(server, namespace, kind):
            there = live["metadata"].get("finalizers") or []
            kept = [one for one in there if not one.startswith(_OURS)]
            if "deletionTimestamp" in live["metadata"] and len(kept) < len(there):
                path = resource_path(kind, namespace, live["metadata"]["name"])
                _set_finalizers(server, path, kept, live["metadata"]["resourceVersion"])


def _set_finalizers(server: ApiServer, path: str, finalizers: list[str], version: str) -> None:
    """Set them unless the object has changed since: one that Kubernetes has taken off must not come back."""
    try:
        server.change(path, {"metadata": {"finalizers": finalizers, "resourceVersion": version}})
    except ApiError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise


def _wait(done: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + _GONE_S + _OPERATOR_S
    while not done():
        if time.monotonic() > deadline:
            raise ApiError(f"{problem}; run it again")
        time.sleep(_POLL_S)
