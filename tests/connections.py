"""Who may connect to whom under a set of NetworkPolicies; what must be possible and what must not."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from infra import names
from infra.pi_job.manifest import PI_LABELS
from infra.ray_cluster.deployments import HEAD_LABELS, WORKER_LABELS


class Place:
    """One end of a connection: a pod of a namespace, or an address outside of the cluster."""

    def __init__(self, labels: Mapping[str, str] | None = None, *, namespace: str = "ray", address: str = ""):
        self.labels = labels
        self.namespace = namespace
        self.address = address


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "the evaluator knows no more"
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def peer_matches(peer: Mapping[str, Any], place: Place, policy_namespace: str) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        if place.labels is not None:
            return False
        address = ipaddress.ip_address(place.address)
        inside = address in ipaddress.ip_network(block["cidr"])
        return inside and not any(address in ipaddress.ip_network(net) for net in block.get("except", []))
    if place.labels is None:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": place.namespace}):
            return False
    elif place.namespace != policy_namespace:
        return False
    return selects(peer.get("podSelector", {}), place.labels)


def port_matches(rule: Mapping[str, Any], protocol: str, port: int) -> bool:
    if "ports" not in rule:
        return True
    return any(
        entry["protocol"] == protocol and entry["port"] <= port <= entry.get("endPort", entry["port"])
        for entry in rule["ports"]
    )


def may_connect(
    specs: Sequence[Mapping[str, Any]], source: Place, target: Place, port: int, protocol: str = "TCP"
) -> bool:
    """Evaluate the policies of namespace ray as Kubernetes does.

    Both ends must allow it; no policy on an end allows all.
    https://kubernetes.io/docs/concepts/services-networking/network-policies/

    Args:
        specs: The `spec` of every NetworkPolicy in the namespace.
        source: Who connects.
        target: To whom.
        port: Port at the target.
        protocol: "TCP" or "UDP".
    """

    def end_allows(here: Place, there: Place, direction: str, key: str) -> bool:
        if here.labels is None or here.namespace != "ray":
            return True
        selecting = [
            spec
            for spec in specs
            if direction in spec["policyTypes"] and selects(spec["podSelector"], here.labels)
        ]
        return not selecting or any(
            port_matches(rule, protocol, port)
            and (
                "from" not in rule
                and "to" not in rule
                or any(peer_matches(p, there, "ray") for p in rule[key])
            )
            for spec in selecting
            for rule in spec.get(direction.lower(), [])
        )

    return end_allows(source, target, "Egress", "to") and end_allows(target, source, "Ingress", "from")


HEAD, WORKER, PI = Place(HEAD_LABELS), Place(WORKER_LABELS), Place(PI_LABELS)
STRANGER = Place({"app": "other"})
STUDENT = Place(dict(HEAD_LABELS), namespace="someone-else")
DNS = Place({"k8s-app": "kube-dns"}, namespace="kube-system")
API_SERVER = Place(address="10.43.0.1")
LAN = Place(address="192.168.1.20")
INTERNET = Place(address="151.101.0.223")

ALWAYS_OPEN = {
    "a worker joins the head": (WORKER, HEAD, names.GCS_PORT),
    "the head leases workers": (HEAD, WORKER, names.NODE_MANAGER_PORT),
    "workers pass objects on": (WORKER, WORKER, names.OBJECT_MANAGER_PORT),
    "the head pulls objects": (HEAD, WORKER, names.OBJECT_MANAGER_PORT),
    "a task asks another worker's process": (WORKER, WORKER, names.MIN_WORKER_PORT),
    "a task answers its owner": (WORKER, HEAD, names.MAX_WORKER_PORT),
    "the dashboard asks an agent": (HEAD, WORKER, names.DASHBOARD_AGENT_PORT),
    "the dashboard streams from an agent": (HEAD, WORKER, names.DASHBOARD_AGENT_GRPC_PORT),
    "a task asks the state of the cluster": (WORKER, HEAD, names.DASHBOARD_PORT),
    "Ray resolves the head": (WORKER, DNS, 53),
}
ALWAYS_CLOSED = {
    "a stranger in the namespace reaches the Jobs API": (STRANGER, HEAD, names.DASHBOARD_PORT),
    "a pod with our labels elsewhere reaches the Jobs API": (STUDENT, HEAD, names.DASHBOARD_PORT),
    "the LAN reaches the Jobs API": (LAN, HEAD, names.DASHBOARD_PORT),
    "the LAN reaches the GCS": (LAN, HEAD, names.GCS_PORT),
    "the LAN reaches a worker's processes": (LAN, WORKER, names.MIN_WORKER_PORT),
    "a π pod reaches Ray": (PI, HEAD, names.GCS_PORT),
    "a π pod resolves names": (PI, DNS, 53),
    "a π pod reaches the internet": (PI, INTERNET, 443),
    "Ray reaches a π pod": (HEAD, PI, 80),
    "a worker speaks Ray Client": (WORKER, HEAD, names.CLIENT_SERVER_PORT),
    "a job reaches the Kubernetes API": (WORKER, API_SERVER, 443),
    "a job reaches the LAN": (WORKER, LAN, 443),
    "a job sends mail": (WORKER, INTERNET, 25),
    "a job logs in by SSH": (WORKER, WORKER, 22),
    "a job reaches another student": (WORKER, STUDENT, names.DASHBOARD_PORT),
}
