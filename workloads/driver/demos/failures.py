"""Failures: what Ray tries again by itself, what it starts anew, and what it hands to you."""

import os
import signal
from typing import Any

import ray

from workloads.driver.nodes import ANSWER_TIMEOUT_S
from workloads.driver.stage.stage import Stage


@ray.remote(num_cpus=0)
class Diary:
    lines: tuple[Any, ...] = ()

    def write(self, node_id: str, pid: int) -> tuple[Any, ...]:
        self.lines += ((node_id, pid),)
        return self.lines


@ray.remote(num_cpus=1, max_retries=2)
def fragile(diary: Any) -> Any:
    """Die at the first attempt, as a process does that the kernel kills when memory runs out."""
    node_id = ray.get_runtime_context().get_node_id()
    lines = ray.get(diary.write.remote(node_id, os.getpid()))
    if len(lines) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return lines


@ray.remote(num_cpus=0, max_restarts=1, max_task_retries=1)
class Counter:
    value = 0

    def increment(self) -> tuple[int, int]:
        self.value += 1
        return self.value, os.getpid()

    @ray.method(max_task_retries=0)
    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@ray.remote(num_cpus=1)
def wrong() -> float:
    return 1 / 0


def show(stage: Stage) -> None:
    """Let a task die, an actor die, and a task raise."""
    # A task whose process died is tried again, on the same node or on another one. It must bear that.
    diary = Diary.remote()
    attempts = ray.get(fragile.remote(diary), timeout=ANSWER_TIMEOUT_S)
    for number, (node_id, pid) in enumerate(attempts, 1):
        stage.say(f"fragile: attempt {number} in process {pid} on {stage.host(node_id)}")
    stage.check("the first attempt died, and the second one gave the result", len(attempts) > 1)

    # An actor whose process died is made anew, as often as max_restarts allows. What it knew is lost.
    counter = Counter.remote()
    (_, before), (value, _) = (ray.get(counter.increment.remote(), timeout=ANSWER_TIMEOUT_S) for _ in "12")
    stage.say(f"Counter: stands at {value} in process {before}")
    try:
        ray.get(counter.die.remote(), timeout=ANSWER_TIMEOUT_S)
    except ray.exceptions.RayActorError as error:
        stage.say(f"Counter: its process was killed, and the caller gets {type(error).__name__}")
    value, after = ray.get(counter.increment.remote(), timeout=ANSWER_TIMEOUT_S)
    stage.say(f"Counter: stands at {value} in process {after}")
    stage.check("it came back in another process, and began at 1 again", value == 1 and after != before)

    # An exception is no failure of the cluster, so nothing is tried again. ray.get raises it where you are,
    # with the traceback of the place where it happened.
    try:
        ray.get(wrong.remote(), timeout=ANSWER_TIMEOUT_S)
    except ZeroDivisionError as error:
        stage.say(f"wrong: ray.get raises {type(error).__name__}\n{error}\n")
        stage.check("the traceback names the task that raised", "wrong" in str(error))

    stage.list("tasks", count=3, name=["fragile", "wrong"])
    stage.list("actors", count=1, class_name="Counter")
