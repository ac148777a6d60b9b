"""Autoscaling: a task waits for a CPU, a worker comes for it, and goes again when it has nothing to do."""

import time
from collections.abc import Callable
from typing import Any

import ray
from ray.autoscaler.v2.sdk import get_cluster_status

from workloads.driver.nodes import ANSWER_TIMEOUT_S, alive_ids, pinned
from workloads.driver.stage.stage import Stage

# So long may it take until an autoscaler asks for a worker, until that is there, and until it has gone.
ASK_S, COME_S, GO_S = 30.0, 600.0, 600.0


@ray.remote
class Holder:  # It keeps CPUs from everybody else as long as it lives.
    def holds(self) -> None:
        pass


@ray.remote(num_cpus=1)
def work() -> str:
    return str(ray.get_runtime_context().get_node_id())


def status() -> Any:
    return get_cluster_status(ray.get_runtime_context().gcs_address)


def demand() -> list[dict[str, float]]:
    """Return what tasks and actors wait for."""
    waiting = status().resource_demands.ray_task_actor_demand
    return [dict(bundle.bundle) for one in waiting for bundle in one.bundles_by_count]


def wait_for(question: Callable[[], Any], seconds: float) -> Any:
    """Ask again and again until the answer is not empty, or the time is over."""
    limit = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < limit:
        time.sleep(1)
    return answer


def show(stage: Stage) -> None:
    """Use all CPUs, ask for one more, and see whether a worker comes."""
    before = alive_ids()
    places = [pinned(node.node_id, node.cpus) for node in stage.nodes if node.cpus]
    holders = [Holder.options(**place).remote() for place in places]
    ray.get([holder.holds.remote() for holder in holders], timeout=ANSWER_TIMEOUT_S)
    task = work.options(name="one-too-many").remote()
    stage.say("All CPUs are held. One more task wants a CPU, and waits:")
    stage.list("tasks", count=1, name="one-too-many", state="PENDING_NODE_ASSIGNMENT")
    stage.check("Ray knows that a CPU is missing", {"CPU": 1.0} in wait_for(demand, ASK_S))

    def coming() -> Any:
        return alive_ids() - before or status().pending_launches or status().pending_nodes

    grows = bool(wait_for(coming, ASK_S))
    if grows:
        stage.say("The autoscaler has asked for a worker.")
        new = wait_for(lambda: alive_ids() - before, COME_S)
    else:
        stage.say(
            f"No worker was asked for in {ASK_S:.0f} s: this cluster has no autoscaling, or no room to grow."
        )
        stage.say(f"The demand stays: {demand()}. Now the CPUs are set free.")
        holders.clear()  # An actor ends with its last handle.
    node_id = ray.get(task, timeout=ANSWER_TIMEOUT_S)
    stage.say(f"The task has run on {stage.host(node_id)}.")
    if not grows:
        stage.check("the task ran as soon as there was a CPU for it", node_id in before)
        return
    stage.check("the task ran on the worker that came for it", node_id in new)
    stage.list("nodes", count=len(before) + len(new), state="ALIVE")
    wait_for(lambda: not alive_ids() & new, GO_S)
    stage.check("the worker has gone again", not alive_ids() & new)
    stage.list("nodes", count=len(new), node_id=sorted(new), state="DEAD")
