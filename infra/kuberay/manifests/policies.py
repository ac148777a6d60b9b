"""What KubeRay mode needs beyond the walls of the Deployments mode, in Ray's Namespace."""

from collections.abc import Sequence
from typing import Any

from infra.config.ray import RayConfig
from infra.kuberay.manifests.cluster import other_cluster
from infra.kuberay.manifests.operator import OPERATOR_LABELS
from infra.names import DASHBOARD_PORT, LABEL_APP, LABEL_COMPONENT
from infra.objects.metadata import metadata
from infra.objects.network import port, to_api_server
from infra.ray_cluster.deployments import HEAD_LABELS, RAY_APP
from infra.ray_cluster.network_policies import RAY_PODS


def asked_ports(ray: RayConfig) -> list[int]:
    """Return the ports of Ray pods that the operator asks: the dashboard's, and those of Serve."""
    return [DASHBOARD_PORT, *sorted({service.port for service in ray.services})]


def kuberay_policies(
    ray: RayConfig, servers: Sequence[str], namespace_name: Any, operator_namespace: Any
) -> dict[str, dict[str, Any]]:
    """Return these NetworkPolicies by a short name.

    Args:
        ray: Whether Ray's autoscaler works, and the ports of services.
        servers: IP addresses of the API servers.
        namespace_name: The Namespace of Ray; text or what will become text.
        operator_namespace: That of the operator; as the first one.
    """
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": operator_namespace}},
        "podSelector": {"matchLabels": OPERATOR_LABELS},
    }
    specs: dict[str, dict[str, Any]] = {
        "operator": {
            "podSelector": RAY_PODS,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [operator], "ports": [port(number) for number in asked_ports(ray)]}],
        }
    }
    if ray.is_scaled:
        heads = [labels[LABEL_COMPONENT] for labels in (HEAD_LABELS, other_cluster().head_labels)]
        specs["autoscaler"] = {
            "podSelector": {
                "matchLabels": {LABEL_APP: RAY_APP},
                "matchExpressions": [{"key": LABEL_COMPONENT, "operator": "In", "values": heads}],
            },
            "policyTypes": ["Egress"],
            "egress": [to_api_server(servers)],
        }
    return {
        name: {"metadata": metadata(f"{RAY_APP}-{name}", namespace_name), "spec": spec}
        for name, spec in specs.items()
    }
