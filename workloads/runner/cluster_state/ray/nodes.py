"""Decides what a Ray node is called, by its host where that is known, and what it has."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workloads.runner.jobs_api.dashboard import ClusterError, ask

# So much of an id tells the nodes of any cluster of Pis apart.
_ID_CHARACTERS = 8
# A line of the logical resources of a node: "1.0/2.0 CPU (0.0 used of 1.0 reserved in placement groups)".
# What is reserved and idle is not in the first number, and yet no other task may have it.
_USED_CPUS = re.compile(r"^([\d.]+)/[\d.]+ CPU\b(?: \(([\d.]+) used of ([\d.]+) reserved)?", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class RayNode:
    """One node of Ray, alive or not.

    Attributes:
        id: Ray's id, in hex.
        name: "host", "host (head)" or "host (worker 2)"; no two nodes that are alive share it.
        host: The Kubernetes node or the machine; of a node that is gone the best that is known.
        address: Its IP address: of the pod where it is one.
        is_head: Whether it governs the cluster.
        alive: Whether Ray counts on it.
        group: The group of workers that KubeRay counts it to; "" without one.
        message: Why it is not alive, as Ray says it.
        cpus: CPUs that Ray may use there.
        cpus_used: Of these, how many tasks, actors and placement groups hold; None if Ray does not say.
        memory_bytes: The limit of the pod or the memory of the machine; None if the node does not say.
        memory_used_bytes: Used of it, by everything there.
        store_bytes: Size of the object store.
        store_used_bytes: Used of it.
        resources: Everything that tasks may ask of it.
    """

    id: str
    name: str
    host: str
    address: str
    is_head: bool
    alive: bool
    group: str
    message: str
    cpus: float
    cpus_used: float | None
    memory_bytes: int | None
    memory_used_bytes: int | None
    store_bytes: int
    store_used_bytes: int
    resources: Mapping[str, float]


def read_nodes(url: str, token: str, hosts: Mapping[str, str]) -> tuple[RayNode, ...]:
    """Ask the cluster for its nodes.

    Args:
        url: The dashboard, as in http://127.0.0.1:8265.
        token: Bearer token. Secret.
        hosts: Names of hosts by the IP addresses of the pods on them.

    Returns:
        Those that are alive first, the head before the others.

    Raises:
        ClusterError: If the cluster does not answer as it should.
    """
    summary = ask(url, token, "/nodes?view=summary")
    # Only the state API leaves the names of resources as they are.
    rows = ask(url, token, "/api/v0/nodes?limit=10000&detail=1")
    try:
        data, listed = summary["data"], rows["data"]["result"]["result"]
        resources = {row["node_id"]: dict(row["resources_total"]) for row in listed}
        usage = data.get("nodeLogicalResources") or {}
        return named([_node(one, hosts, resources, usage) for one in data["summary"]])
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ClusterError(f"{url} answers, but not as Ray's dashboard does.") from None


def named(nodes: Sequence[RayNode]) -> tuple[RayNode, ...]:
    """Name nodes by their hosts, and where several that are alive share one by what each is there too.

    The driver names them so in the tables of a run.

    Returns:
        Those that are alive first, the head before the others, these by host.
    """
    ordered = sorted(nodes, key=lambda one: (not one.alive, not one.is_head, one.host, one.address, one.id))
    sharing = Counter(one.host for one in ordered if one.alive)
    workers = Counter(one.host for one in ordered if one.alive and not one.is_head)
    numbers: Counter[str] = Counter()
    return tuple(replace(one, name=_name(one, sharing, workers, numbers)) for one in ordered)


def names_of(nodes: Sequence[RayNode]) -> dict[str, str]:
    """Return the names of nodes by what the state API calls them by: ids, and addresses that only one has."""
    addresses = Counter(one.address for one in nodes if one.alive)
    names = {one.id: one.name for one in nodes}
    return names | {one.address: one.name for one in nodes if one.alive and addresses[one.address] == 1}


def short(node_id: str) -> str:
    """Return the beginning of an id, for people."""
    return node_id[:_ID_CHARACTERS]


def held_cpus(usage: str) -> float | None:
    """Return the CPUs that tasks, actors and placement groups hold; None if Ray does not say.

    >>> held_cpus("1.0/2.0 CPU (0.0 used of 1.0 reserved in placement groups)"), held_cpus("0.5/3.0 CPU")
    (2.0, 0.5)
    """
    found = _USED_CPUS.search(usage)
    if found is None:
        return None
    used, of_groups, reserved = (float(number or 0.0) for number in found.groups())
    return used + reserved - of_groups


def _name(one: RayNode, sharing: Counter[str], workers: Counter[str], numbers: Counter[str]) -> str:
    if not one.alive:
        return f"{one.host} ({short(one.id)})"
    if sharing[one.host] == 1:
        return one.host
    numbers[one.host] += not one.is_head
    number = f" {numbers[one.host]}" if workers[one.host] > 1 else ""
    return f"{one.host} ({'head' if one.is_head else f'worker{number}'})"


def _node(
    one: Mapping[str, Any],
    hosts: Mapping[str, str],
    resources: Mapping[str, Mapping[str, float]],
    usage: Mapping[str, str],
) -> RayNode:
    raylet = one["raylet"]
    node_id, address = str(raylet["nodeId"]), str(raylet.get("nodeManagerAddress") or one.get("ip") or "")
    host = hosts.get(address) or str(raylet.get("nodeManagerHostname") or one.get("hostname") or address)
    own = resources.get(node_id, {})
    memory = list(_numbers(one.get("mem")))
    return RayNode(
        id=node_id,
        name=host,
        host=host,
        address=address,
        is_head=bool(raylet.get("isHeadNode")),
        alive=raylet.get("state") == "ALIVE",
        group=str(raylet.get("nodeTypeName") or ""),
        message=str(raylet.get("stateMessage") or ""),
        cpus=float(own.get("CPU", 0.0)),
        cpus_used=held_cpus(str(usage.get(node_id, ""))),
        memory_bytes=memory[0] if memory else None,
        # total, available, percent, used
        memory_used_bytes=memory[-1] if memory else None,
        store_bytes=int(own.get("object_store_memory", 0)),
        store_used_bytes=int(raylet.get("objectStoreUsedMemory") or 0),
        resources=own,
    )


def _numbers(values: Any) -> Iterator[int]:
    return (int(value) for value in values or ())
