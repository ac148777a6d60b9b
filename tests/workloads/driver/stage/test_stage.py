"""A demo ends well only if each of its claims was true."""

import pytest

from workloads.driver.nodes import Node, Roster, WorkloadError
from workloads.driver.stage.listing import cells
from workloads.driver.stage.stage import Stage
from workloads.protocol.events import Event

HERE = Node(node_id="a" * 56, host="pi1", pod=None, name="pi1 (head)", cpus=4, is_head=True, facts={})


def stage() -> tuple[Stage, list[Event]]:
    events: list[Event] = []
    return Stage(Roster([HERE], 1), events.append), events


def test_claims_that_are_true_end_with_a_result() -> None:
    shown, events = stage()
    shown.check("one is one", True)
    shown.finish()
    assert events[-1] == Event("result", {"checked": ["one is one"]})


def test_a_claim_that_is_not_true_is_named_at_the_end_even_if_it_comes_true_later() -> None:
    shown, _ = stage()
    for happened in (True, False, True):
        shown.check("all tasks are listed", happened)
    with pytest.raises(WorkloadError, match="did not happen: all tasks are listed"):
        shown.finish()


def test_a_demo_that_claims_nothing_shows_nothing() -> None:
    with pytest.raises(WorkloadError, match="no check ran"):
        stage()[0].finish()


def test_what_ray_colours_is_said_without_colours() -> None:
    shown, events = stage()
    shown.say("\x1b[36mray::wrong()\x1b[39m (pid=1)")
    assert events == [Event("said", {"text": "ray::wrong() (pid=1)"})]


def test_a_row_has_the_nodes_name_and_the_ends_of_a_long_id() -> None:
    row = {"task_id": "0123456789abcdef" * 3, "attempt_number": 0, "name": "f", "node_id": HERE.node_id}
    (shown,) = cells("tasks", [row], {HERE.node_id: HERE.name})
    assert shown == ["012345…abcdef", "0", "f", "", "pi1 (head)", "", ""]
