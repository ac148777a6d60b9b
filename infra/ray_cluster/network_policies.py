"""Who may talk to whom in the namespace, as NetworkPolicies; what none of them allows is closed.

No rule lets the runner in: a port-forward is made by the kubelet inside the pod's own network, which no
policy filters, and neither are the kubelet's probes from the pod's own node.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from infra.names import (
    DASHBOARD_AGENT_GRPC_PORT,
    DASHBOARD_AGENT_PORT,
    DASHBOARD_PORT,
    GCS_PORT,
    LABEL_APP,
    MAX_WORKER_PORT,
    MIN_WORKER_PORT,
    NODE_MANAGER_PORT,
    OBJECT_MANAGER_PORT,
    RUNTIME_ENV_AGENT_PORT,
)
from infra.objects.metadata import metadata
from infra.objects.network import DNS_PEER, port
from infra.ray_cluster.deployments import RAY_APP

RAY_PODS = {"matchLabels": {LABEL_APP: RAY_APP}}

# Everything private: the cluster's own addresses, the owner's LAN, and link-local ones.
_NOT_INTERNET = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]


def network_policies(
    runtime_packages: Sequence[str], namespace_name: Any, wheels_url: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return all policies by a short name.

    `internet` is there only where packages are installed: with an image that lacks nothing a job can reach
    nothing but its own cluster. With a mirror it may reach exactly that as well, at its one port. The π pods
    compute and write a file; they need no network at all.

    Args:
        runtime_packages: What the image lacks.
        namespace_name: The Namespace; text or what will become text.
        wheels_url: Where a mirror may have it; None for the internet alone.
    """
    specs: dict[str, dict[str, Any]] = {
        "deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "peers": {
            "podSelector": RAY_PODS,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": RAY_PODS}], "ports": _ray_ports()}],
            "egress": [
                {"to": [{"podSelector": RAY_PODS}], "ports": _ray_ports()},
                {"to": [DNS_PEER], "ports": [port(53), port(53, "UDP")]},
            ],
        },
    }
    if runtime_packages:
        internet = {"ipBlock": {"cidr": "0.0.0.0/0", "except": _NOT_INTERNET}}
        specs["internet"] = {
            "podSelector": RAY_PODS,
            "policyTypes": ["Egress"],
            "egress": [{"to": [internet], "ports": [port(443), port(80)]}],
        }
        if mirror := ipv4_endpoint(wheels_url or ""):
            address, number = mirror
            block = {"to": [{"ipBlock": {"cidr": f"{address}/32"}}], "ports": [port(number)]}
            specs["internet"]["egress"].append(block)
    return {
        name: {"metadata": metadata(f"{RAY_APP}-{name}", namespace_name), "spec": spec}
        for name, spec in specs.items()
    }


def ipv4_endpoint(url: str) -> tuple[str, int] | None:
    """Return address and port of a URL; None where it names no IPv4 address, as a NetworkPolicy needs one.

    >>> ipv4_endpoint("http://192.0.2.10:8000/k3s"), ipv4_endpoint("https://mirror.example")
    (('192.0.2.10', 8000), None)
    """
    parts = urlsplit(url)
    try:
        address = ipaddress.IPv4Address(parts.hostname or "")
    except ValueError:
        return None
    return str(address), parts.port or (443 if parts.scheme == "https" else 80)


def _ray_ports() -> list[dict[str, Any]]:
    """Return the ports on which Ray's processes talk across pods: neither the client server nor metrics."""
    single = (
        GCS_PORT,
        DASHBOARD_PORT,
        DASHBOARD_AGENT_PORT,
        DASHBOARD_AGENT_GRPC_PORT,
        NODE_MANAGER_PORT,
        OBJECT_MANAGER_PORT,
        RUNTIME_ENV_AGENT_PORT,
    )
    return [*map(port, single), {**port(MIN_WORKER_PORT), "endPort": MAX_WORKER_PORT}]
