"""The ends of connections that NetworkPolicies name, as plain dicts. Imports no pulumi."""

from collections.abc import Sequence
from typing import Any

from infra.names import KUBERNETES_API_PORT

DNS_PEER = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}

# The first address of k3s's network of Services, which is always that of `kubernetes.default`.
# https://docs.k3s.io/cli/server#networking (service-cidr)
_API_SERVICE = "10.43.0.1/32"


def port(number: int, protocol: str = "TCP") -> dict[str, Any]:
    """Return one port."""
    return {"protocol": protocol, "port": number}


def to_api_server(servers: Sequence[str]) -> dict[str, Any]:
    """Return a rule that lets pods reach Kubernetes' API.

    Its Service has the servers' addresses behind it. A policy sees those where it is enforced after the
    address was translated, as k3s does it, and the Service's own where it is enforced before.

    Args:
        servers: IP addresses of the servers.
    """
    blocks = [f"{address}/{128 if ':' in address else 32}" for address in servers]
    return {
        "to": [{"ipBlock": {"cidr": cidr}} for cidr in [*blocks, _API_SERVICE]],
        "ports": [port(KUBERNETES_API_PORT), port(443)],
    }
