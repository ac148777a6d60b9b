"""What every pod of the program has in common, as plain dicts: security context, files, environment.

Knows nothing of Ray or of π. Imports no pulumi: the dicts are what Kubernetes' API takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.names import (
    ENV_NODE_NAME,
    ENV_POD_NAME,
    LABEL_APP,
    LABEL_ARCH,
    LABEL_COMPONENT,
    LABEL_HOSTNAME,
    LABEL_MANAGED_BY,
)

# User `ray` and group `users` of the official image; images/ray has the same.
_USER_ID = 1000
_GROUP_ID = 100

# Home and working directory. Never /tmp: a program started there takes Ray's own /tmp/ray for its package.
WORK_DIR = "/var/piray"

# Writable directories are on the host's card; a pod that fills one is evicted instead of the host failing.
_TMP_LIMIT = "4Gi"
_WORK_LIMIT = "1Gi"


def labels(app: str, component: str) -> dict[str, str]:
    """Return the labels that identify pods of one kind."""
    return {LABEL_APP: app, LABEL_COMPONENT: component, LABEL_MANAGED_BY: "pulumi"}


def environment(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a container's environment: where it runs, threads for one task each, and the given values."""
    return [
        {"name": ENV_NODE_NAME, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": ENV_POD_NAME, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *(
            {"name": name, "value": value}
            for name, value in {
                "HOME": WORK_DIR,
                "NUMBA_CACHE_DIR": f"{WORK_DIR}/numba",
                # The libraries would start a thread for every core of the host in each task, and a speed-up
                # over tasks would measure nothing but their quarrel.
                "NUMBA_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                **values,
            }.items()
        ),
    ]


def resources(cpu_request_millis: int, cpu_limit_millis: int, memory_mib: int) -> dict[str, dict[str, str]]:
    """Return requests and limits of a container.

    Memory is requested in full: the scheduler then never promises the same MiB of a Pi twice.
    """
    memory = f"{memory_mib}Mi"
    return {
        "requests": {"cpu": f"{cpu_request_millis}m", "memory": memory},
        "limits": {"cpu": f"{cpu_limit_millis}m", "memory": memory},
    }


def pod_spec(
    arch: str,
    container: Mapping[str, Any],
    volumes: Sequence[Mapping[str, Any]] = (),
    mounts: Sequence[Mapping[str, Any]] = (),
    pull_secret: str | None = None,
) -> dict[str, Any]:
    """Return the spec of a pod with one container that may do nothing but compute.

    Fits the "restricted" Pod Security Standard, and beyond it has a read-only root filesystem: only /tmp and
    WORK_DIR can be written, and both end with the pod.

    Args:
        arch: Value of kubernetes.io/arch of the nodes that have an image for it.
        container: The container without security context, working directory and these two mounts.
        volumes: Further volumes.
        mounts: Where the container has them.
        pull_secret: Name of the Secret with the registry's password; None where it asks for none.
    """
    return {
        "nodeSelector": {LABEL_ARCH: arch},
        **({"imagePullSecrets": [{"name": pull_secret}]} if pull_secret else {}),
        "automountServiceAccountToken": False,
        # A Service `ray-head` would put RAY_HEAD_… into every pod, where Ray looks for its own settings.
        "enableServiceLinks": False,
        # The pause process then reaps what a job's programs leave behind; Ray as process 1 would not.
        "shareProcessNamespace": True,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER_ID,
            "runAsGroup": _GROUP_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_restricted(container, mounts)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": _TMP_LIMIT}},
            {"name": "work", "emptyDir": {"sizeLimit": _WORK_LIMIT}},
            *volumes,
        ],
    }


def restricted_security() -> dict[str, Any]:
    """Return the security context of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def _restricted(container: Mapping[str, Any], mounts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "imagePullPolicy": "IfNotPresent",
        "workingDir": WORK_DIR,
        **container,
        "securityContext": restricted_security(),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — a volume of the pod's own
            {"name": "work", "mountPath": WORK_DIR},
            *mounts,
        ],
    }


def spread_over_hosts(match_labels: Mapping[str, str], revision_label: str) -> list[dict[str, Any]]:
    """Return topology spread constraints that put pods with these labels on different hosts.

    A wish, not a demand: with more pods than hosts, or with one host that is full, the rest must still run.

    Args:
        match_labels: Labels of the pods.
        revision_label: Pods that differ in this label, such as those of an older revision, do not count.
    """
    return [
        {
            "maxSkew": 1,
            "topologyKey": LABEL_HOSTNAME,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(match_labels)},
            "matchLabelKeys": [revision_label],
        }
    ]
