"""Decides how π is estimated by Ray where no Kubernetes Job does it: one task for each stream."""

import time
from typing import Any

import ray

from workloads.driver.nodes import ANSWER_TIMEOUT_S, Roster, WorkloadError, conditions
from workloads.pi.kernel import count_inside, warm_up
from workloads.protocol.events import Emit, Event
from workloads.protocol.specs import PiSpec

# Ten billion samples on one core of a Pi take some five minutes.
TASK_TIMEOUT_S = 3600.0


def run(spec: PiSpec, roster: Roster, emit: Emit) -> None:
    """Count the samples of every stream and report by events: progress, after, result.

    Raises:
        WorkloadError: If the cluster is busy, or no task ends for TASK_TIMEOUT_S.
    """
    by_id = {node.node_id: node for node in roster.nodes}
    _warm_up(sum(node.cpus for node in roster.nodes), spec.seed)
    begin = time.perf_counter()
    waiting = {_count.remote(spec.samples, spec.seed, stream): stream for stream in range(spec.completions)}
    parts: list[dict[str, Any]] = []
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=TASK_TIMEOUT_S)
        if not done:
            raise WorkloadError(f"no stream ended in {TASK_TIMEOUT_S:.0f} s: choose fewer samples.")
        num_inside, wall_s, node_id = ray.get(done[0])
        node = by_id.get(node_id)
        part = {"index": waiting.pop(done[0]), "samples": spec.samples, "num_inside": num_inside}
        place = {"node": node.host if node else node_id, "pod": node.pod if node else None}
        parts.append({**part, "wall_s": wall_s, **place})
        emit(Event("progress", {"done": len(parts), "total": spec.completions}))
    wall_s = time.perf_counter() - begin
    emit(Event("after", {"nodes": conditions(roster.nodes)}))
    emit(Event("result", {"parts": parts, "wall_s": wall_s}))


def _warm_up(cpus: int, seed: int) -> None:
    """Let worker processes start and import NumPy now, not within the time of a stream."""
    try:
        ray.get([_count.remote(1, seed, 0) for _ in range(cpus)], timeout=ANSWER_TIMEOUT_S)
    except ray.exceptions.GetTimeoutError:
        raise WorkloadError(
            f"the cluster had no free CPU for {ANSWER_TIMEOUT_S:.0f} s: is another job running there?"
        ) from None


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def _count(samples: int, seed: int, stream: int) -> tuple[int, float, str]:
    """Return the count, the seconds it took and the id of this node."""
    # Ray may run a stream in a process that had none of the tasks before it.
    warm_up()
    begin = time.perf_counter()
    num_inside = count_inside(samples, seed, stream)
    return num_inside, time.perf_counter() - begin, str(ray.get_runtime_context().get_node_id())
