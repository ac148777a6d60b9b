"""A RayCluster: the pods are those of the Deployments mode, in a custom resource instead of two Deployments.

The annotation `ray.io/overwrite-container-cmd` has the operator leave our command alone. It would otherwise
put its own `ray start` there, without the wait for the head and the reading of the card that slow cards
need; the start parameters beside it are what Ray's autoscaler reads a group's resources from.
https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/common/pod.go (BuildPod)
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.config.ray import RayConfig, WorkerGroup
from infra.kuberay.manifests.autoscaler import autoscaler_options, with_autoscaler
from infra.names import ANNOTATION_REVISION, GCS_PORT, LABEL_RAY_CLUSTER, RAY_CLUSTER
from infra.objects.metadata import metadata, name_by_content
from infra.objects.pods import labels, spread_over_hosts
from infra.ray_cluster.container import HeadStart, head_container, worker_container
from infra.ray_cluster.deployments import HEAD_LABELS, RAY_APP, WORKER_LABELS, head_pod, worker_pod

API_VERSION = "ray.io/v1"

_OVERWRITE = {"ray.io/overwrite-container-cmd": "true"}
# Set by the operator in each worker: the name of its own cluster's head.
_HEAD_OF_CLUSTER = f"$(FQ_RAY_IP):{GCS_PORT}"


@dataclass(frozen=True, kw_only=True)
class ClusterKind:
    """What tells the cluster of a RayJob or RayService from the stack's own.

    Attributes:
        head_labels: Labels of its head; the Service `ray-head` looks for those of the stack's own.
        worker_labels: Labels of its workers.
        serve_port: Port on which its Serve applications answer; None without Serve.
    """

    head_labels: Mapping[str, str]
    worker_labels: Mapping[str, str]
    serve_port: int | None = None


STACKS_OWN = ClusterKind(head_labels=HEAD_LABELS, worker_labels=WORKER_LABELS)


def other_cluster(serve_port: int | None = None) -> ClusterKind:
    """Return the kind of a cluster that a RayJob or a RayService makes for itself."""
    head, worker = labels(RAY_APP, "other-head"), labels(RAY_APP, "other-worker")
    return ClusterKind(head_labels=head, worker_labels=worker, serve_port=serve_port)


def ray_cluster(ray: RayConfig, arch: str, namespace_name: Any, revision: Any) -> dict[str, Any]:
    """Return the RayCluster of the stack.

    Args:
        ray: Version, image, and the shares of head and groups.
        arch: "arm64" or "amd64", which the nodes must have.
        namespace_name: The Namespace; text or what will become text.
        revision: What the pods are to have in their annotation; as the Namespace.
    """
    return {
        "api_version": API_VERSION,
        "kind": "RayCluster",
        "metadata": metadata(RAY_CLUSTER, namespace_name),
        "spec": {
            **cluster_spec(ray, arch, STACKS_OWN, revision),
            # With "None" a changed image would reach no pod that runs. The number of workers is no part of
            # what the operator compares.
            "upgradeStrategy": {"type": "Recreate"},
        },
    }


def cluster_spec(ray: RayConfig, arch: str, kind: ClusterKind, revision: Any) -> dict[str, Any]:
    """Return the spec of a RayCluster, as RayJobs and RayServices have it, too.

    Args:
        ray: As for ray_cluster.
        arch: As for ray_cluster.
        kind: What tells it from others.
        revision: As for ray_cluster.
    """
    spec: dict[str, Any] = {
        "rayVersion": ray.version,
        # Without it nothing asks for a token. Its Secret has the cluster's name: with one of another name
        # `kubectl ray get token` fails.
        "authOptions": {"mode": "token"},
        "headGroupSpec": _head_group(ray, arch, kind, revision),
        "workerGroupSpecs": [_worker_group(ray, group, arch, kind, revision) for group in ray.groups],
    }
    if ray.is_scaled:
        spec |= {"enableInTreeAutoscaling": True, "autoscalerOptions": autoscaler_options(ray)}
    return spec


def revision_of(spec: Mapping[str, Any]) -> str:
    """Return what changes with a spec if, and only if, the operator makes all pods anew.

    Args:
        spec: A RayCluster's spec with an empty revision.
    """
    compared = copy.deepcopy(dict(spec))
    for group in compared["workerGroupSpecs"]:
        for key in ("replicas", "minReplicas", "maxReplicas"):
            del group[key]
    return name_by_content("pods", compared)


def _head_group(ray: RayConfig, arch: str, kind: ClusterKind, revision: Any) -> dict[str, Any]:
    start = HeadStart(scaled=ray.is_scaled, serve_port=kind.serve_port, client=True)
    pod = head_pod(ray, arch, head_container(ray, None, start))
    if ray.is_scaled:
        pod = with_autoscaler(pod)
    return {
        "rayStartParams": {"num-cpus": str(ray.head_cpus)},
        "template": _template(pod, kind.head_labels, revision),
    }


def _worker_group(
    ray: RayConfig, group: WorkerGroup, arch: str, kind: ClusterKind, revision: Any
) -> dict[str, Any]:
    container = worker_container(ray, group, None, head=_HEAD_OF_CLUSTER, serve_port=kind.serve_port)
    pod = worker_pod(ray, group, arch, container)
    pod["topologySpreadConstraints"] = spread_over_hosts(kind.worker_labels, LABEL_RAY_CLUSTER)
    return {
        "groupName": group.name,
        "replicas": group.replicas,
        "minReplicas": group.min_replicas,
        "maxReplicas": group.max_replicas,
        "rayStartParams": {"num-cpus": str(group.cpus)},
        "template": _template(pod, kind.worker_labels, revision),
    }


def _template(pod: Mapping[str, Any], pod_labels: Mapping[str, str], revision: Any) -> dict[str, Any]:
    annotations = {**_OVERWRITE, ANNOTATION_REVISION: revision}
    return {"metadata": {"labels": dict(pod_labels), "annotations": annotations}, "spec": dict(pod)}
