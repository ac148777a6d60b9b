"""The Kubernetes objects of Ray as plain dicts: config in, `metadata` and `spec` out; no pulumi here."""

import json
from collections.abc import Mapping
from typing import Any

from infra.config.image_rules import registry_of
from infra.config.ray import ONLY_GROUP, RayConfig, WorkerGroup
from infra.config.ray_image import ImageSource
from infra.names import (
    DASHBOARD_PORT,
    GCS_PORT,
    HEAD_DEPLOYMENT,
    HEAD_SERVICE,
    LABEL_CONTROL_PLANE,
    LABEL_HOSTNAME,
    LABEL_RAY_GROUP,
    REGISTRY_SECRET,
    WORKER_DEPLOYMENT,
)
from infra.objects.metadata import metadata
from infra.objects.pods import labels, pod_spec, spread_over_hosts
from infra.ray_cluster.container import (
    START_LIMIT_S,
    TOKEN_KEY,
    head_container,
    object_store_mib,
    worker_container,
)
from infra.ray_cluster.packages import with_packages
from infra.versions import POD_SECURITY

RAY_APP = "ray"
HEAD_LABELS = labels(RAY_APP, "head")
WORKER_LABELS = labels(RAY_APP, "worker")

# Ray ends within five seconds of SIGTERM.
_GRACE_S = 15

# Docker's own registry has another name where one logs in.
_DOCKER_HUB_LOGIN = "https://index.docker.io/v1/"


def namespace(name: str) -> dict[str, Any]:
    """Return the Namespace, named as the config says: the runner looks there."""
    return {
        "metadata": metadata(
            name,
            labels={
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/enforce-version": POD_SECURITY,
            },
        )
    }


def head_service(namespace_name: Any) -> dict[str, Any]:
    """Return the headless Service of the head.

    Headless: a name for the head's address and nothing more. No other type ever: k3s opens the ports of a
    LoadBalancer on every host's LAN address. The Jobs API is reached through `kubectl port-forward`.
    It has the address of a head that is not ready, too: workers and jobs talk to the GCS, which is there
    before the dashboard answers and must not vanish from DNS while the dashboard is slow.

    Args:
        namespace_name: The Namespace; text or what will become text.
    """
    return {
        "metadata": metadata(HEAD_SERVICE, namespace_name, HEAD_LABELS),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": HEAD_LABELS,
            "ports": [
                {"name": "gcs", "port": GCS_PORT, "protocol": "TCP"},
                {"name": "dashboard", "port": DASHBOARD_PORT, "protocol": "TCP"},
            ],
        },
    }


def token_secret(name: Any, namespace_name: Any, token: Any) -> dict[str, Any]:
    """Return the Secret that has the token.

    Args:
        name: Its name; text or what will become text.
        namespace_name: The Namespace; as the name.
        token: The token; as the name.
    """
    return {"metadata": metadata(name, namespace_name, HEAD_LABELS), "string_data": {TOKEN_KEY: token}}


def registry_secret(image: str, source: ImageSource, namespace_name: Any) -> dict[str, Any]:
    """Return the Secret with which the kubelet logs in at the image's registry.

    https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/

    Args:
        image: Reference of the image.
        source: User and password.
        namespace_name: The Namespace; text or what will become text.
    """
    assert source.password is not None, "infra/config/image_rules.py lets no such stack pass"
    login = {"username": source.user, "password": source.password.reveal()}
    auths = {registry_of(image) or _DOCKER_HUB_LOGIN: login}
    return {
        "metadata": metadata(REGISTRY_SECRET, namespace_name, HEAD_LABELS),
        "type": "kubernetes.io/dockerconfigjson",
        "string_data": {".dockerconfigjson": json.dumps({"auths": auths})},
    }


def head_deployment(ray: RayConfig, arch: str, namespace_name: Any, token_secret: Any) -> dict[str, Any]:
    """Return the Deployment of the head.

    Args:
        ray: Image, CPUs and memory.
        arch: "arm64" or "amd64", which the node must have.
        namespace_name: The Namespace; text or what will become text.
        token_secret: Name of the Secret that has the token; text or what will become text.
    """
    pod = head_pod(ray, arch, head_container(ray, token_secret))
    return {
        "metadata": metadata(HEAD_DEPLOYMENT, namespace_name, HEAD_LABELS),
        "spec": {
            "replicas": 1,
            # Two heads at once would be two clusters behind one name, and a Pi has no memory for both.
            "strategy": {"type": "Recreate"},
            **_template(HEAD_LABELS, pod),
        },
    }


def worker_deployment_name(group: WorkerGroup) -> str:
    """Return the name of the Deployment of a group; short for that of piray:workers."""
    return WORKER_DEPLOYMENT if group.name == ONLY_GROUP else f"{WORKER_DEPLOYMENT}-{group.name}"


def worker_deployment(
    ray: RayConfig, group: WorkerGroup, arch: str, namespace_name: Any, token_secret: Any
) -> dict[str, Any]:
    """Return the Deployment of a group of workers.

    Args:
        ray: As for head_deployment.
        group: The workers; how many they are is nothing but `spec.replicas`.
        arch: As for head_deployment.
        namespace_name: As for head_deployment.
        token_secret: As for head_deployment.
    """
    pod = worker_pod(ray, group, arch, worker_container(ray, group, token_secret))
    pod["topologySpreadConstraints"] = spread_over_hosts(WORKER_LABELS, "pod-template-hash")
    # KubeRay's own label, so that a group is found by it in either mode.
    of_group = {**WORKER_LABELS, LABEL_RAY_GROUP: group.name}
    return {
        "metadata": metadata(worker_deployment_name(group), namespace_name, of_group),
        "spec": {
            "replicas": group.replicas,
            # The Pis have no memory for a second set; and a cluster takes only workers of its own Ray
            # version, so an old one is of no use while the new ones come.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"},
            },
            **_template(of_group, pod),
        },
    }


def head_pod(ray: RayConfig, arch: str, container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of the head's pod, on a server if there is room.

    Args:
        ray: The head's memory, and how the image is got.
        arch: As for head_deployment.
        container: Its container.
    """
    return {**_pod(ray, arch, container, ray.head_memory_mib), "affinity": _prefer_control_plane("Exists")}


def worker_pod(ray: RayConfig, group: WorkerGroup, arch: str, container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a worker's pod: where its group says, and there on an agent without another worker.

    Args:
        ray: How the image is got.
        group: The worker's memory and place.
        arch: As for head_deployment.
        container: Its container.
    """
    pod = _pod(ray, arch, container, group.memory_mib)
    # The scheduler gives the spread no more weight than the wish to spare the control plane: when an agent
    # left, its worker was seen to join the one on the other. The second wish for another host decides it.
    affinity = {**_prefer_control_plane("DoesNotExist"), **_avoid_each_other(WORKER_LABELS)}
    if group.hosts:
        here = {"matchExpressions": [{"key": LABEL_HOSTNAME, "operator": "In", "values": list(group.hosts)}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]}}
        affinity["nodeAffinity"] = {**affinity["nodeAffinity"], **required}
    pod["affinity"] = affinity
    pod["nodeSelector"] = {**group.node_selector, **pod["nodeSelector"]}
    if group.tolerations:
        pod["tolerations"] = [
            toleration.model_dump(by_alias=True, exclude_none=True) for toleration in group.tolerations
        ]
    return pod


def _template(pod_labels: Mapping[str, str], pod: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "progressDeadlineSeconds": START_LIMIT_S + 600,
        "selector": {"matchLabels": pod_labels},
        "template": {"metadata": {"labels": pod_labels}, "spec": pod},
    }


def _pod(ray: RayConfig, arch: str, container: Mapping[str, Any], memory_mib: int) -> dict[str, Any]:
    # Ray moves its object store to the card if /dev/shm is not larger than it.
    shm = {"medium": "Memory", "sizeLimit": f"{object_store_mib(memory_mib) + 32}Mi"}
    spec = pod_spec(
        arch,
        container,
        volumes=[{"name": "shm", "emptyDir": shm}],
        mounts=[{"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108 — a volume of the pod's own
        pull_secret=ray.pull_secret,
    )
    return {**with_packages(ray, spec), "terminationGracePeriodSeconds": _GRACE_S}


def _prefer_control_plane(operator: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": LABEL_CONTROL_PLANE, "operator": operator}]}
    return {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]
        }
    }


def _avoid_each_other(pod_labels: Mapping[str, str]) -> dict[str, Any]:
    term = {"topologyKey": LABEL_HOSTNAME, "labelSelector": {"matchLabels": pod_labels}}
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }
