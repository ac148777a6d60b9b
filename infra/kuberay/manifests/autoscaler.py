"""Ray's autoscaler: a container that the operator puts beside the head's, and what that needs to work here.

https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/common/pod.go
(BuildAutoscalerContainer, mergeAutoscalerOverrides)
"""

from collections.abc import Mapping
from typing import Any

from infra.config.ray import RayConfig
from infra.config.room import AUTOSCALER_MIB, AUTOSCALER_MILLIS
from infra.objects.pods import WORK_DIR, resources, restricted_security

_ACCOUNT = "autoscaler-account"
_ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
# The operator's own name: with a volume of that name there, it adds none, which would have no limit.
_LOGS = "ray-logs"
_LOGS_LIMIT = "1Gi"
_TOKEN_S = 3600
_LIMIT_MILLIS = 500


def autoscaler_options(ray: RayConfig) -> dict[str, Any]:
    """Return the options of the autoscaler.

    Args:
        ray: After how many seconds a worker that is idle goes.
    """
    return {
        "version": "v2",
        "idleTimeoutSeconds": ray.idle_timeout_s,
        "imagePullPolicy": "IfNotPresent",
        "resources": resources(AUTOSCALER_MILLIS, _LIMIT_MILLIS, AUTOSCALER_MIB),
        "securityContext": restricted_security(),
        "env": [{"name": "HOME", "value": WORK_DIR}],
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — a volume of the pod's own
            {"name": "work", "mountPath": WORK_DIR},
            {"name": _ACCOUNT, "mountPath": _ACCOUNT_PATH, "readOnly": True},
        ],
    }


def with_autoscaler(head: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod of a head with what the autoscaler beside it needs.

    The account's token is mounted where only the autoscaler's container has it: what jobs run in the head's
    has no business with Kubernetes' API.

    Args:
        head: Spec of the head's pod.
    """
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_S}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    volumes = [
        {"name": _ACCOUNT, "projected": {"sources": sources}},
        {"name": _LOGS, "emptyDir": {"sizeLimit": _LOGS_LIMIT}},
    ]
    # Two containers that share their processes could read each other's files, and so the token.
    return {**head, "shareProcessNamespace": False, "volumes": [*head["volumes"], *volumes]}
