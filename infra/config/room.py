"""Whether the head and all workers have a place on the hosts, as far as their memory and CPUs are known.

Counts as the scheduler of Kubernetes does: by what the pods ask for and what is left on each host.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.config.problems import ABSENT, ProblemList
from infra.config.ray import worker_groups

# Not all of the CPUs are asked for: k3s's own pods ask for some, and a head and a worker of three CPUs have
# to fit beside them on a Pi with four.
SPARED_MILLIS = 250
# Ray's autoscaler beside the head, where workers come and go. Measured: 100 MB.
AUTOSCALER_MIB, AUTOSCALER_MILLIS = 256, 100

_MAX_HOSTS_SHOWN = 8


@dataclass(frozen=True, eq=False)
class _Kind:
    """One thing that pods need and hosts have.

    Attributes:
        host_field: Field of a host.
        head, worker: Field of `ray`, and field of a group of workers.
        head_key, worker_key: Key of `ray`, and key of the workers that `piray:workers` counts.
        group_key: Key of a group.
        operator: Field of `ray.operator`.
        scaler: What the autoscaler beside the head asks for.
        unit: What stands behind a number.
        reserve: By role, what the system and k3s take.
        spared: How much less than its number a pod asks for.
        scale: How many of the numbers here are one of the user's.
    """

    host_field: str
    head: str
    worker: str
    head_key: str
    worker_key: str
    group_key: str
    operator: str
    scaler: int
    unit: str
    reserve: Mapping[str, int]
    spared: int
    scale: int

    def shown(self, amount: int) -> str:
        return f"{amount / self.scale:g} {self.unit}" if self.scale != 1 else f"{amount} {self.unit}"


# What k3s takes on a Pi 4 (server with etcd 896 MB, agent 256 MB) and room for the system itself.
# https://docs.k3s.io/reference/resource-profiling
_MEMORY = _Kind(
    host_field="memory_mib",
    head="head_memory_mib",
    worker="memory_mib",
    head_key="headMemoryMib",
    worker_key="workerMemoryMib",
    group_key="memoryMib",
    operator="memory_mib",
    scaler=AUTOSCALER_MIB,
    unit="MiB",
    reserve={"server": 1024, "agent": 512},
    spared=0,
    scale=1,
)
# k3s's own pods, coredns and metrics-server, ask for 0.1 each, wherever they are.
# https://github.com/k3s-io/k3s/tree/master/manifests
_CPUS = _Kind(
    host_field="cpus",
    head="head_cpus",
    worker="cpus",
    head_key="headCpus",
    worker_key="workerCpus",
    group_key="cpus",
    operator="cpu_millis",
    scaler=AUTOSCALER_MILLIS,
    unit="CPUs",
    reserve={"server": 200, "agent": 200},
    spared=SPARED_MILLIS,
    scale=1000,
)
_KINDS = (_CPUS, _MEMORY)

# By kind: how much a pod asks for, or a host has left. What is not there is not known.
_Amounts = Mapping[_Kind, int]


class _Room:
    """One host, and what is left on it for pods."""

    def __init__(self, host: Mapping[str, Any]) -> None:
        self.name: str = host.get("name", "a host")
        self.role: str = host["role"]
        self.free: dict[_Kind, int] = {}
        for kind in _KINDS:
            has = host.get(kind.host_field)
            if has is not None:
                self.free[kind] = max(0, has * kind.scale - kind.reserve[self.role])

    def holds(self, pod: _Amounts) -> bool:
        return all(self.free.get(kind, amount) >= amount for kind, amount in pod.items())

    def count(self, pod: _Amounts, beside: _Amounts | None = None) -> int | None:
        """Return how many pods fit beside another one; None if nothing is known that would limit them."""
        taken = beside or {}
        fits = [
            max(0, free - taken.get(kind, 0)) // pod[kind] for kind, free in self.free.items() if kind in pod
        ]
        return min(fits, default=None)


def check_room(tree: Mapping[str, Any], problems: ProblemList) -> None:
    """Check that the head and all workers have a place.

    Args:
        tree: The fields that could be read; a host of which something is unknown has enough of it.
        problems: Gets what has no place.
    """
    ray, hosts = tree.get("ray", {}), tree.get("hosts", [])
    if not hosts or not all(
        "role" in host and all(kind.host_field in host for kind in _KINDS) for host in hosts
    ):
        return
    # The text must not depend on the order of the hosts.
    rooms = sorted(map(_Room, hosts), key=lambda room: (room.name, room.role, list(room.free.values())))
    own = bool(ray.get("groups"))
    groups = [
        _Group(group, index if own else None)
        for index, group in enumerate(worker_groups(ray, tree.get("workers") or 0))
    ]
    head = _head(ray, scaled=any(group.least < group.most for group in groups))
    good = _check_head(rooms, head, ray, problems)
    for group in groups:
        if group.most:
            good &= _check_workers(rooms, group, head, problems)
    others = _others(ray)
    if good and (others or len(groups) > 1):
        _check_together(rooms, [head, *others, *(pod for group in groups for pod in group.pods)], problems)


class _Group:
    """A group of workers, and what is said of it where it has no place."""

    def __init__(self, group: Mapping[str, Any], index: int | None) -> None:
        """Take the fields of a group.

        Args:
            group: What could be read of it.
            index: Its place in `ray.groups`; None for the one that `piray:workers` is short for.
        """
        self.path: tuple[str | int, ...] = ("workers",) if index is None else ("ray", "groups", index)
        number: int = group.get("replicas") or 0
        self.least: int = group.get("min_replicas") or 0
        self.most: int = group.get("max_replicas") or 0
        self.key = () if index is None else ("replicas",) if self.most == number else ("maxReplicas",)
        self.hosts: Sequence[str] = group.get("hosts", ())
        self.worker: _Amounts = {
            kind: group[kind.worker] * kind.scale - kind.spared for kind in _KINDS if group.get(kind.worker)
        }
        self.pods = [self.worker] * number
        self.keys = {
            kind: f"piray:ray.{kind.worker_key}"
            if index is None
            else f"piray:ray.groups[{index}].{kind.group_key}"
            for kind in _KINDS
        }

    def places(self, rooms: Sequence[_Room]) -> Sequence[_Room]:
        """Return where its workers may run: without hosts of its own on agents, without agents on servers."""
        if self.hosts:
            return [room for room in rooms if room.name in self.hosts]
        return [room for room in rooms if room.role == "agent"] or rooms


def _others(ray: Mapping[str, Any]) -> list[_Amounts]:
    """Return what pods of KubeRay's ask for that are always there: the operator, the heads of services."""
    if ray.get("mode") != "kuberay":
        return []
    operator = ray.get("operator", {})
    # It asks for next to no CPU (infra/kuberay/manifests/operator.py).
    memory = {_MEMORY: operator["memory_mib"]} if operator.get("memory_mib") else {}
    return [memory, *([_head(ray)] * len(ray.get("services", ())))]


def _head(ray: Mapping[str, Any], *, scaled: bool = False) -> _Amounts:
    return {
        kind: ray[kind.head] * kind.scale - kind.spared + scaled * kind.scaler
        for kind in _KINDS
        if ray.get(kind.head)
    }


def _check_together(rooms: Sequence[_Room], pods: Sequence[_Amounts], problems: ProblemList) -> None:
    """Check that all that is always there has room in sum; where each pod goes is the scheduler's part."""
    for kind in _KINDS:
        if not all(kind in room.free for room in rooms):
            continue
        free, asked = sum(room.free[kind] for room in rooms), sum(pod.get(kind, 0) for pod in pods)
        if asked > free:
            problems.add(
                ("ray",),
                ABSENT,
                f"asks for {kind.shown(asked)} in all, for head, workers, services and operator, and the "
                f"hosts have {kind.shown(free)} beside the system and k3s",
                "Ask for less, or add a Pi.",
            )


def _check_head(
    rooms: Sequence[_Room], head: _Amounts, ray: Mapping[str, Any], problems: ProblemList
) -> bool:
    if any(room.holds(head) for room in rooms):
        return True
    for kind, amount in head.items():
        if not all(kind in room.free for room in rooms):
            continue
        roomiest = max(rooms, key=lambda room: room.free[kind])
        if roomiest.free[kind] < amount:
            reserve = kind.reserve[roomiest.role]
            problems.add(
                ("ray", kind.head_key),
                ray[kind.head],
                f"fits on no host: {roomiest.name} has the most room, "
                f"{kind.shown(roomiest.free[kind] + reserve)} less {kind.shown(reserve)} for the system and "
                f"k3s = {kind.shown(roomiest.free[kind])}",
                f"Lower it, or add a Pi with more {'memory' if kind is _MEMORY else 'cores'}.",
            )
    return False


def _check_workers(rooms: Sequence[_Room], group: _Group, head: _Amounts, problems: ProblemList) -> bool:
    """Check that the workers fit on their hosts beside a head that takes the fewest of their places."""
    places = group.places(rooms)
    fits: dict[_Room, int] = {}
    for room in places:
        count = room.count(group.worker)
        if count is None:
            return True
        fits[room] = count
    beside_workers = [room for room in places if room.holds(head)]
    elsewhere = any(room.holds(head) for room in rooms if room not in fits)
    shared: _Room | None = None
    if beside_workers and not elsewhere:
        beside = {room: room.count(group.worker, head) or 0 for room in beside_workers}
        shared = max(beside_workers, key=lambda room: beside[room] - fits[room])
        fits[shared] = beside[shared]
    if fits and sum(fits.values()) < group.most:
        _add_workers_problem(fits, group, (shared, head), problems)
        return False
    return True


def _add_workers_problem(
    fits: Mapping[_Room, int], group: _Group, head_on: tuple[_Room | None, _Amounts], problems: ProblemList
) -> None:
    places = list(fits)
    role, total = places[0].role, sum(fits.values())
    known = [kind for kind in group.worker if any(kind in room.free for room in places)]
    counts = ", ".join(f"{room.name} {count}" for room, count in list(fits.items())[:_MAX_HOSTS_SHOWN])
    more = ", …" if len(fits) > _MAX_HOSTS_SHOWN else ""
    shared, head = head_on

    def amounts(of: _Amounts, spared: bool = True) -> str:
        return " and ".join(kind.shown(of[kind] + kind.spared * spared) for kind in known if kind in of)

    reserve = amounts({kind: kind.reserve[role] for kind in known}, spared=False)
    beside = f", and {amounts(head)} for the head on {shared.name}" if shared and amounts(head) else ""
    fewer = f"Give at most {total}, lower" if total else "Lower"
    keys = " or ".join(group.keys[kind] for kind in known)
    who = "group's hosts" if group.hosts else f"{role}s"
    problems.add(
        (*group.path, *group.key),
        group.most,
        f"do not fit: the {who} hold {total} workers of {amounts(group.worker)} ({counts}{more}), "
        f"with {reserve} on each for the system and k3s{beside}",
        f"{fewer} {keys}, or add a Pi.",
    )
