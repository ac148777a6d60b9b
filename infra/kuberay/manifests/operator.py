"""The KubeRay operator: its namespace, its account, its Deployment, and the walls around it.

https://github.com/ray-project/kuberay/tree/v1.6.2/ray-operator/config
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.config.ray import OperatorConfig
from infra.objects.metadata import metadata
from infra.objects.network import DNS_PEER, port, to_api_server
from infra.objects.pods import labels, pod_spec, resources
from infra.ray_cluster.deployments import namespace
from infra.ray_cluster.network_policies import RAY_PODS

NAME = "kuberay-operator"
OPERATOR_LABELS = labels(NAME, "operator")

_HEALTH_PORT = 8082
# Idle it takes 5 millis; what is promised to it, no other pod of a Pi gets.
_CPU_REQUEST_MILLIS = 20
_GRACE_S = 10
# Of its memory, what the Go runtime may hold before it collects garbage as hard as it can.
_GO_SHARE = 0.9


def operator_namespace(name: str) -> dict[str, Any]:
    """Return the operator's own Namespace, as closed as that of Ray."""
    return namespace(name)


def service_account(namespace_name: Any) -> dict[str, Any]:
    """Return the account that the operator's Roles are for."""
    return {"metadata": metadata(NAME, namespace_name, OPERATOR_LABELS)}


def operator_deployment(
    operator: OperatorConfig, arch: str, namespace_name: Any, arguments: Any
) -> dict[str, Any]:
    """Return the Deployment of the operator.

    Args:
        operator: Image, memory (MiB), CPU (millis) and feature gates.
        arch: "arm64" or "amd64", which the node must have.
        namespace_name: Its own Namespace; text or what will become text.
        arguments: Those of operator_arguments, or what will become them.
    """
    pod = {
        **pod_spec(arch, _container(operator, arguments)),
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "terminationGracePeriodSeconds": _GRACE_S,
    }
    return {
        "metadata": metadata(NAME, namespace_name, OPERATOR_LABELS),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": OPERATOR_LABELS},
            "template": {"metadata": {"labels": OPERATOR_LABELS}, "spec": pod},
        },
    }


def operator_policies(
    servers: Sequence[str], namespace_name: Any, watched: Sequence[Any], ports: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """Return the NetworkPolicies of the operator's Namespace by a short name.

    Nobody connects to the operator: its probes come from its own node. It asks the API server, and the
    dashboards and Serve proxies of the clusters that it looks after.

    Args:
        servers: IP addresses of the API servers.
        namespace_name: The operator's Namespace; text or what will become text.
        watched: The Namespaces with Ray.
        ports: Those of the dashboards and Serve proxies there.
    """
    ray = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}, "podSelector": RAY_PODS}
        for name in watched
    ]
    specs: dict[str, dict[str, Any]] = {
        "deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "egress": {
            "podSelector": {"matchLabels": OPERATOR_LABELS},
            "policyTypes": ["Egress"],
            "egress": [
                to_api_server(servers),
                {"to": [DNS_PEER], "ports": [port(53), port(53, "UDP")]},
                {"to": ray, "ports": [port(number) for number in ports]},
            ],
        },
    }
    return {
        name: {"metadata": metadata(f"{NAME}-{name}", namespace_name), "spec": spec}
        for name, spec in specs.items()
    }


def operator_arguments(feature_gates: Mapping[str, bool], watched: Sequence[str]) -> list[str]:
    """Return the operator's flags.

    Args:
        feature_gates: What is switched on or off of its unfinished features.
        watched: The Namespaces whose custom resources it looks after, and no others.
    """
    gates = ",".join(f"{name}={str(on).lower()}" for name, on in sorted(feature_gates.items()))
    return [
        f"--watch-namespace={','.join(watched)}",
        f"--health-probe-bind-address=:{_HEALTH_PORT}",
        # Nobody reads its metrics here.
        "--metrics-addr=0",
        "--enable-leader-election=true",
        *([f"--feature-gates={gates}"] if gates else []),
    ]


def _probe(path: str, *, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"port": _HEALTH_PORT, "path": path},
        "periodSeconds": 5,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _container(operator: OperatorConfig, arguments: Any) -> dict[str, Any]:
    return {
        "name": "operator",
        "image": operator.image,
        "command": ["/manager"],
        "args": arguments,
        "env": [
            # It would give each worker an init container with a fixed limit of 256 MiB, which importing Ray
            # exceeds on a Pi; our workers wait for the head themselves (infra/ray_cluster/container.py).
            {"name": "ENABLE_INIT_CONTAINER_INJECTION", "value": "false"},
            {"name": "GOMEMLIMIT", "value": f"{int(operator.memory_mib * _GO_SHARE)}MiB"},
        ],
        "ports": [{"name": "health", "containerPort": _HEALTH_PORT, "protocol": "TCP"}],
        "resources": resources(
            min(_CPU_REQUEST_MILLIS, operator.cpu_millis), operator.cpu_millis, operator.memory_mib
        ),
        "readinessProbe": _probe("/readyz", failures=3),
        # On a busy card the API server stalls, and the operator with it; a restart would not help.
        "livenessProbe": _probe("/healthz", failures=12),
    }
