"""Decides what the nodes workload shows: how Ray spreads short tasks over the nodes, and how long that takes.

The job of the article "Ray ClusterをKubernetes上で試す": tasks that sleep for 0.01 s and answer where they
ran. Ray alone chooses the node, as it does there.
"""

import time
from collections import Counter

import ray

from workloads.driver.nodes import ANSWER_TIMEOUT_S, Roster, WorkloadError, conditions
from workloads.protocol.events import Emit, Event
from workloads.protocol.specs import NodesSpec

PROGRESS_INTERVAL_S = 0.5


def run(spec: NodesSpec, roster: Roster, emit: Emit) -> None:
    """Run the tasks and report by events: progress, after, result.

    The result has the count of each node (0 for one that ran none), the CPUs and the wall time.

    Raises:
        WorkloadError: If the cluster has no CPU, or no task ends for a long time.
    """
    cpus = sum(node.cpus for node in roster.nodes)
    if not cpus:
        raise WorkloadError("no node of the cluster has a CPU: raise piray:workers and run `make up`.")
    begin = time.perf_counter()
    waiting = [_nap.remote(spec.seconds) for _ in range(spec.tasks)]
    ids = _collect(waiting, spec, emit)
    wall_s = time.perf_counter() - begin
    names = {node.node_id: node.name for node in roster.nodes}
    counts = Counter(dict.fromkeys(names.values(), 0))
    # A node that came meanwhile has no name yet.
    counts.update(names.get(one, one) for one in ids)
    emit(Event("after", {"nodes": conditions(roster.nodes)}))
    emit(Event("result", {"counts": counts.most_common(), "cpus": cpus, "wall_s": wall_s}))


def _collect(waiting: list["ray.ObjectRef[str]"], spec: NodesSpec, emit: Emit) -> list[str]:
    """Return the ids of the nodes on which the tasks ran."""
    total, last = len(waiting), time.monotonic()
    done: list[ray.ObjectRef[str]] = []
    while waiting:
        ready, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=PROGRESS_INTERVAL_S)
        done += ready
        if ready:
            last = time.monotonic()
            emit(Event("progress", {"done": len(done), "total": total}))
        elif time.monotonic() > last + ANSWER_TIMEOUT_S + spec.seconds:
            raise WorkloadError(
                f"no task ended for {ANSWER_TIMEOUT_S + spec.seconds:.0f} s: is another job using all CPUs?"
            )
    return ray.get(done)


@ray.remote
def _nap(seconds: float) -> str:
    time.sleep(seconds)
    return str(ray.get_runtime_context().get_node_id())
