"""Decides what the connectivity workload shows: tasks run on every node, results pass between all of them.

Ray's example for Kubernetes, as in the 2020 article: a task names the node it runs on and hands
the name to a second task, which adds its own.
"""

import time
from collections import Counter

import ray

from workloads.driver.nodes import Roster, WorkloadError, conditions
from workloads.protocol.events import Emit, Event
from workloads.protocol.specs import ConnectivitySpec

# Without a pause the first node to start would have done all tasks before the others have their workers.
PAUSE_S = 0.01
ROUND_TIMEOUT_S = 300.0


def run(spec: ConnectivitySpec, roster: Roster, emit: Emit) -> None:
    """Run the rounds and report by events: round, after, result.

    Raises:
        WorkloadError: If a node is missing or never answered.
    """
    names = {node.node_id: node.name for node in roster.nodes}
    seen: Counter[tuple[str, str]] = Counter()
    for index in range(spec.rounds):
        begin = time.perf_counter()
        counts = Counter((names.get(a, a), names.get(b, b)) for a, b in _round(spec.tasks))
        emit(
            Event(
                "round",
                {"round": index, "wall_s": time.perf_counter() - begin, "counts": rows_of(counts)},
            )
        )
        seen += counts
    emit(Event("after", {"nodes": conditions(roster.nodes)}))
    emit(Event("result", {"counts": rows_of(seen), "rounds": spec.rounds, "tasks": spec.tasks}))
    check(roster, seen)


def rows_of(counts: Counter[tuple[str, str]]) -> list[list[str | int]]:
    """Return [first node, second node, count] for each pair, the most frequent first."""
    return [[first, second, count] for (first, second), count in counts.most_common()]


def check(roster: Roster, seen: Counter[tuple[str, str]]) -> None:
    """Refuse a cluster in which a node is missing or did nothing.

    Raises:
        WorkloadError: Names the nodes.
    """
    nodes = roster.nodes
    if len(nodes) < roster.expected:
        names = ", ".join(node.name for node in nodes)
        raise WorkloadError(
            f"only {len(nodes)} of {roster.expected} nodes joined ({names}): "
            "look at the workers that are missing."
        )
    active = {name for pair in seen for name in pair}
    silent = [node.name for node in nodes if node.cpus > 0 and node.name not in active]
    if silent:
        raise WorkloadError(f"no task ever ran on {', '.join(silent)}: look at that node and its log.")


def _round(tasks: int) -> list[tuple[str, str]]:
    pairs = [_visit.remote(_visit.remote(())) for _ in range(tasks)]
    try:
        return [(first, second) for first, second in ray.get(pairs, timeout=ROUND_TIMEOUT_S)]
    except ray.exceptions.GetTimeoutError:
        raise WorkloadError(
            f"{tasks} tasks did not end in {ROUND_TIMEOUT_S:.0f} s: is another job using the cluster?"
        ) from None


# Workers of a task that was not answered are tried again by Ray, on another node.
@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def _visit(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of the nodes visited so far and of this one."""
    time.sleep(PAUSE_S)
    return (*path, str(ray.get_runtime_context().get_node_id()))
