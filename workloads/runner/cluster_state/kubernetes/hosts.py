"""Decides what to do about a pod without a host, and about a host that takes none. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workloads.runner.cluster_state.kubernetes.role import PodRole
from workloads.runner.cluster_state.problem import Problem

_PRESSURES = {
    "MemoryPressure": "it has hardly any memory left: run less there, or have fewer workers",
    "DiskPressure": "its card is nearly full: remove what is not needed there, or use a larger card",
    "PIDPressure": "it has too many processes: look what runs there beside Ray",
    "NetworkUnavailable": "its pods have no network: run `make up` for the stack again",
}


def placing_remedy(said: str, role: PodRole) -> str:
    """Return what to do about a pod that finds no host.

    Args:
        said: What the scheduler says, as in "0/3 nodes are available: 3 Insufficient memory. …".
        role: What the pod is.
    """
    fewer = f", lower {role.count}" if role.count else ""
    remedies = {
        "Insufficient memory": f"lower {role.memory}{fewer}, or add a host" if role.memory else None,
        "Insufficient cpu": f"lower {role.cpus}{fewer}, or add a host" if role.cpus else None,
        "Insufficient ephemeral-storage": "use larger cards",
        "node affinity/selector": "look at arch, and at the hosts and node selector of its group: no "
        "host is of that kind",
        "untolerated taint": "a host that would do is tainted, as one that is not ready is: look at the "
        "hosts below, and at the tolerations of its group",
        "didn't match pod anti-affinity": "add a host",
        "were unschedulable": "let the host take pods again: `kubectl uncordon NAME`",
    }
    # In the order of the message: the scheduler names what most hosts lack, not what matters most.
    found = [remedy for words, remedy in remedies.items() if words in said and remedy]
    if not found:
        return "run `make up` for the stack again; if that does not help, `piray doctor` looks at the hosts."
    return f"in the stack file: {'; or '.join(found)}; then run `make up`."


def host_problems(nodes: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return what is wrong with hosts, as Kubernetes sees them.

    Args:
        nodes: Nodes as the API has them.
    """
    return [problem for node in nodes for problem in _of_host(node)]


def _of_host(node: Mapping[str, Any]) -> Iterator[Problem]:
    subject = f"host {node['metadata']['name']}"
    conditions = {one["type"]: one for one in node.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    if ready.get("status") != "True":
        yield Problem(
            subject,
            f"is not ready: {ready.get('message') or 'Kubernetes does not know why'}",
            "is it on, and in the network? `piray doctor` looks at it.",
            at=str(ready.get("lastTransitionTime") or ""),
        )
    for kind, remedy in _PRESSURES.items():
        if conditions.get(kind, {}).get("status") == "True":
            yield Problem(subject, f"reports {kind}: {conditions[kind].get('message', '')}", f"{remedy}.")
    if node.get("spec", {}).get("unschedulable"):
        yield Problem(
            subject, "takes no new pods (cordoned)", f"`kubectl uncordon {node['metadata']['name']}`."
        )
