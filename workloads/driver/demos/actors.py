"""Actors: objects that live in a process of their own on one node, and remember from call to call."""

from collections import Counter as Tally

import ray

from workloads.driver.nodes import ANSWER_TIMEOUT_S
from workloads.driver.stage.stage import Stage

COUNTERS = 10


# A decorator makes a class into an actor. SPREAD puts the ten on different nodes where there are some.
# An actor that mostly waits needs no CPU for itself: so ten of them fit on a small cluster.
@ray.remote(num_cpus=0, scheduling_strategy="SPREAD")
class Counter:
    """A number that only this actor can see and change."""

    def __init__(self) -> None:
        self.value = 0

    def increment(self) -> int:
        self.value += 1
        return self.value

    def get_counter(self) -> int:
        return self.value

    def home(self) -> str:
        return str(ray.get_runtime_context().get_node_id())


def show(stage: Stage) -> None:
    """Count with ten actors, then with one of them, and ask each where it lives."""
    counters = [Counter.remote() for _ in range(COUNTERS)]

    # Ten calls to ten actors run at the same time.
    results = ray.get([c.increment.remote() for c in counters], timeout=ANSWER_TIMEOUT_S)
    stage.say(f"each counter once:             {results}")
    stage.check("every counter has counted for itself", results == [1] * COUNTERS)

    # Five calls to one actor run one after the other, in the order in which they were made.
    results = ray.get([counters[0].increment.remote() for _ in range(5)], timeout=ANSWER_TIMEOUT_S)
    stage.say(f"the first one five times more: {results}")
    stage.check("the first counter has counted on from 1, in order", results == [2, 3, 4, 5, 6])

    # What an actor remembers is there for the next caller.
    results = ray.get([c.get_counter.remote() for c in counters], timeout=ANSWER_TIMEOUT_S)
    stage.say(f"what all remember:             {results}")
    stage.check("only the first counter stands at 6", results == [6] + [1] * (COUNTERS - 1))

    homes = ray.get([c.home.remote() for c in counters], timeout=ANSWER_TIMEOUT_S)
    for node_id, number in Tally(homes).items():
        stage.say(f"{number} of the counters live on {stage.host(node_id)}")

    # As long as somebody holds an actor's handle, it lives. With the last handle it goes.
    stage.list("actors", count=COUNTERS, class_name="Counter", state="ALIVE")
