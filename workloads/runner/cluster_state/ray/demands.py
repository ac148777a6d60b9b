"""Decides what waits in Ray, for what, and whether it can ever come: from the state API, in every mode alike.

The autoscaler's report (`/api/cluster_status`) says the same where there is an autoscaler, but not why, and
with the names of resources changed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workloads.runner.cluster_state.ray.listing import Listing
from workloads.runner.cluster_state.ray.nodes import RayNode

TASKS_WAIT = "PENDING_NODE_ASSIGNMENT"
ACTORS_WAIT = "PENDING_CREATION"
GROUPS_WAIT = "PENDING"
_BYTES = ("memory", "object_store_memory")
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Demand:
    """What waits for a place.

    Attributes:
        what: Name of the function, class or placement group.
        kind: "task", "actor" or "placement group".
        count: How many of it wait.
        wants: What each of them asks for, in words.
        why: Why it waits, in words.
        possible: Whether a node that is there could ever hold it.
    """

    what: str
    kind: str
    count: int
    wants: str
    why: str
    possible: bool


def demands_of(
    tasks: Listing, actors: Listing, groups: Listing, nodes: Sequence[RayNode]
) -> tuple[Demand, ...]:
    """Return what waits, the most numerous first.

    Args:
        tasks: Tasks in state TASKS_WAIT; the tasks that create actors among them are left to `actors`.
        actors: Actors in state ACTORS_WAIT.
        groups: Placement groups in state GROUPS_WAIT.
        nodes: The nodes of the cluster.
    """
    counted: Counter[tuple[str, str, tuple[tuple[tuple[str, float], ...], ...]]] = Counter()
    for row in tasks.rows:
        if row["type"] != "ACTOR_CREATION_TASK":
            counted[("task", str(row["func_or_class_name"]), (_frozen(row["required_resources"]),))] += 1
    for row in actors.rows:
        counted[("actor", str(row["class_name"]), (_frozen(row["required_resources"]),))] += 1
    for row in groups.rows:
        bundles = tuple(_frozen(one["unit_resources"]) for one in row["bundles"] or ())
        counted[("placement group", str(row["name"] or row["placement_group_id"][:16]), bundles)] += 1
    alive = [one for one in nodes if one.alive]
    found = [
        _demand(kind, what, count, [dict(one) for one in bundles], alive)
        for (kind, what, bundles), count in counted.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.count, one.kind, one.what)))


def resources_text(resources: Mapping[str, float]) -> str:
    """Render what is asked for, as in "4 CPUs, 512 MiB memory"."""
    return ", ".join(_amount(name, value) for name, value in sorted(resources.items())) or "nothing"


def _demand(
    kind: str, what: str, count: int, bundles: Sequence[Mapping[str, float]], nodes: Sequence[RayNode]
) -> Demand:
    lacking = [reason for bundle in bundles if (reason := _lack(bundle, nodes))]
    wants = " + ".join(resources_text(bundle) for bundle in bundles) or "nothing"
    why = lacking[0] if lacking else "all that could hold it is in use"
    return Demand(what, kind, count, wants, why, not lacking)


def _lack(wanted: Mapping[str, float], nodes: Sequence[RayNode]) -> str | None:
    """Say why no node can hold a request, however idle it is; None if one can."""
    if any(all(node.resources.get(name, 0.0) >= value for name, value in wanted.items()) for node in nodes):
        return None
    for name, value in sorted(wanted.items()):
        most = max((node.resources.get(name, 0.0) for node in nodes), default=0.0)
        if most < value:
            has = f"the largest has {_amount(name, most)}" if most else f"none has any {name}"
            return f"no node has {_amount(name, value)}: {has}"
    return "no node has all of it at once"


def _amount(name: str, value: float) -> str:
    if name in _BYTES:
        return f"{value / _MIB:.0f} MiB {name.replace('_', ' ')}"
    return f"{value:g} CPU{'' if value == 1 else 's'}" if name == "CPU" else f"{value:g} {name}"


def _frozen(resources: Mapping[str, Any] | None) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(_floats(resources or {})))


def _floats(resources: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    return ((name, float(value)) for name, value in resources.items())
