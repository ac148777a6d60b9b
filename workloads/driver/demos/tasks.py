"""Tasks: functions that Ray runs in another process, on whichever node has a free CPU."""

import time

import ray

from workloads.driver.nodes import ANSWER_TIMEOUT_S
from workloads.driver.stage.stage import Stage

TASKS = 4
SECONDS_OF_A_TASK = 1.0


# A decorator makes a function into a task. It is still called in the same words, only with `.remote`.
@ray.remote(num_cpus=1)
def example_function() -> tuple[int, str]:
    time.sleep(SECONDS_OF_A_TASK)  # This stands for work.
    return 1, ray.get_runtime_context().get_node_id()


def one_after_the_other() -> list[tuple[int, str]]:
    """Wait for each task before the next one is even asked for: nothing is parallel."""
    result = []
    for _ in range(TASKS):
        result.append(ray.get(example_function.remote(), timeout=ANSWER_TIMEOUT_S))
    return result


def all_at_once() -> list[tuple[int, str]]:
    """Ask for all tasks, and then wait for all: Ray runs as many at a time as there are CPUs."""
    # `.remote` does not wait. It returns a reference to a value that will be there later.
    references = [example_function.remote() for _ in range(TASKS)]
    return list(ray.get(references, timeout=ANSWER_TIMEOUT_S))


def show(stage: Stage) -> None:
    """Run the same four tasks in both ways, and look at the clock."""
    # The first tasks of a job wait for worker processes to start. That is no part of the comparison.
    all_at_once()

    seconds = {}
    for way in (one_after_the_other, all_at_once):
        begin = time.perf_counter()
        result = way()
        seconds[way] = time.perf_counter() - begin

        hosts = ", ".join(stage.host(node_id) for _, node_id in result)
        values = [value for value, _ in result]
        stage.say(f"{way.__name__}: {values} in {seconds[way]:.1f} s, on {hosts}")
        stage.check(f"{way.__name__} gives [1, 1, 1, 1]", values == [1, 1, 1, 1])

    cpus = sum(node.cpus for node in stage.nodes)
    stage.say(
        f"{TASKS} tasks of {SECONDS_OF_A_TASK:.0f} s each on {cpus} CPUs: ray.get in a loop wastes them."
    )
    if cpus > 1:
        faster = seconds[all_at_once] < seconds[one_after_the_other]
        stage.check("all at once takes less time than one after the other", faster)

    stage.list("tasks", count=3 * TASKS, name="example_function")
