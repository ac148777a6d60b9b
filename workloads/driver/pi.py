"""Decides how π is computed by Ray where no Kubernetes Job does it: one task for each stream."""

import time
from typing import Any

import ray

from workloads.driver import nodes
from workloads.driver.nodes import ANSWER_TIMEOUT_S, WorkloadError
from workloads.pi.kernel import count_inside, warm_up
from workloads.protocol.events import Emit, Event

# Ten billion samples on one core of a Pi take some five minutes.
TASK_TIMEOUT_S = 3600.0


def run(completions: int, samples: int, seed: int, expected: int, emit: Emit) -> None:
    """Count the samples of every stream and report by events: nodes, progress, result.

    Args:
        completions: Number of streams.
        samples: Samples of each stream.
        seed: Shared by all streams.
        expected: Nodes that the stack declares.
        emit: Takes the events.

    Raises:
        WorkloadError: If no task ends for TASK_TIMEOUT_S.
    """
    found = nodes.find(expected)
    emit(Event("nodes", {"nodes": nodes.describe(found), "expected": expected}))
    by_id = {node.node_id: node for node in found}
    # Worker processes start and import NumPy now, not within the time of a stream.
    warm = [_count.remote(1, seed, 0) for _ in range(sum(node.cpus for node in found))]
    try:
        ray.get(warm, timeout=ANSWER_TIMEOUT_S)
    except ray.exceptions.GetTimeoutError:
        raise WorkloadError(
            f"the cluster had no free CPU for {ANSWER_TIMEOUT_S:.0f} s: is another job running there?"
        ) from None
    begin = time.perf_counter()
    waiting = {_count.remote(samples, seed, stream): stream for stream in range(completions)}
    parts: list[dict[str, Any]] = []
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=TASK_TIMEOUT_S)
        if not done:
            raise WorkloadError(f"no stream ended in {TASK_TIMEOUT_S:.0f} s: choose fewer samples.")
        num_inside, wall_s, node_id = ray.get(done[0])
        node = by_id.get(node_id)
        parts.append(
            {
                "index": waiting.pop(done[0]),
                "samples": samples,
                "num_inside": num_inside,
                "wall_s": wall_s,
                "node": node.host if node else node_id,
                "pod": node.pod if node else None,
            }
        )
        emit(Event("progress", {"done": len(parts), "total": completions}))
    emit(Event("result", {"parts": parts, "wall_s": time.perf_counter() - begin}))


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def _count(samples: int, seed: int, stream: int) -> tuple[int, float, str]:
    """Return the count, the seconds it took and the id of this node."""
    # Ray may run a stream in a process that had none of the tasks before it.
    warm_up()
    begin = time.perf_counter()
    num_inside = count_inside(samples, seed, stream)
    return num_inside, time.perf_counter() - begin, str(ray.get_runtime_context().get_node_id())
