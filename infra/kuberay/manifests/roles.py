"""What the operator may do: Roles in the namespaces that it watches, and one in its own. No ClusterRole.

The release has one ClusterRole for all namespaces. What is left out of it here the operator asks for only
with features that the program does not use: ingresses, OpenShift's routes, gateways, the API server as a
proxy. With `--watch-namespace` it lists and watches nothing beyond those namespaces.
https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/config/rbac/role.yaml
"""

from typing import Any

from infra.kuberay.manifests.operator import NAME, OPERATOR_LABELS
from infra.objects.metadata import metadata

_READ = ["get", "list", "watch"]
_OWN = [*_READ, "create", "delete", "patch", "update"]
_CUSTOM_RESOURCES = ["rayclusters", "raycronjobs", "rayjobs", "rayservices"]

_WATCHED = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": [*_OWN, "deletecollection"]},
    {"apiGroups": [""], "resources": ["pods/status", "services"], "verbs": _OWN},
    {"apiGroups": [""], "resources": ["services/status"], "verbs": ["get", "patch", "update"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    # It makes a token for each cluster of a RayJob or RayService, and reads that of the stack's own.
    {"apiGroups": [""], "resources": ["secrets"], "verbs": [*_READ, "create"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": _OWN},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    {"apiGroups": ["ray.io"], "resources": _CUSTOM_RESOURCES, "verbs": _OWN},
    {
        "apiGroups": ["ray.io"],
        "resources": [f"{name}/finalizers" for name in _CUSTOM_RESOURCES],
        "verbs": ["update"],
    },
    {
        "apiGroups": ["ray.io"],
        "resources": [f"{name}/status" for name in _CUSTOM_RESOURCES],
        "verbs": ["get", "patch", "update"],
    },
    # For Ray's autoscaler it makes an account with a Role; it may give away only what it has, which is why it
    # has pods/resize.
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": [*_READ, "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods/resize"], "verbs": ["patch"]},
    {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "rolebindings"],
        "verbs": [*_READ, "create", "delete"],
    },
]

_LEADING = [
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
]


def watching_role(namespace_name: Any) -> dict[str, Any]:
    """Return the operator's Role in a Namespace that it watches."""
    return {"metadata": metadata(NAME, namespace_name, OPERATOR_LABELS), "rules": _WATCHED}


def leading_role(namespace_name: Any) -> dict[str, Any]:
    """Return its Role in its own Namespace: there it notes that it is the one that works."""
    return {"metadata": metadata(NAME, namespace_name, OPERATOR_LABELS), "rules": _LEADING}


def role_binding(namespace_name: Any, operator_namespace: Any) -> dict[str, Any]:
    """Return what gives the operator its Role in a Namespace.

    Args:
        namespace_name: The Namespace of the Role; text or what will become text.
        operator_namespace: That of the operator's account; as the first one.
    """
    return {
        "metadata": metadata(NAME, namespace_name, OPERATOR_LABELS),
        "role_ref": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": operator_namespace}],
    }
