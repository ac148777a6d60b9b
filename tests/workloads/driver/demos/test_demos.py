"""Every demo on a real Ray of three nodes, driven as on a cluster: what it showed, and how it ended."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.workloads.driver.demos.growing_cluster import growing_cluster
from tests.workloads.driver.driving import NODES, ROOT, Shown, drive, surroundings, three_nodes
from workloads.protocol.demos import DEMOS
from workloads.protocol.specs import DemoSpec

COUNTERS = 10

Play = Callable[[str], Shown]


def demo(name: str, variables: Mapping[str, str], nodes: int) -> Shown:
    """Run a demo; all that it shows has to happen."""
    shown = drive(DemoSpec(name=name), variables, nodes)
    assert all(event.values["happened"] for event in shown["checked"])
    return shown


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """Return a function that runs a demo on a Ray of three nodes, which all tests of this module share."""
    with three_nodes() as variables:
        yield lambda name: demo(name, variables, NODES)


def text(shown: Shown) -> str:
    return "\n".join(event.values["text"] for event in shown["said"])


def rows(shown: Shown, what: str) -> list[dict[str, Any]]:
    """Return the last listing of a kind, as dictionaries."""
    values = [event.values for event in shown["listed"] if event.values["what"] == what][-1]
    return [dict(zip(values["columns"], row, strict=True)) for row in values["rows"]]


@pytest.mark.ray
def test_tasks_give_the_same_values_in_both_ways_and_are_listed(play: Play) -> None:
    shown = play("tasks")
    assert text(shown).count("[1, 1, 1, 1]") == 2
    assert {(row["name"], row["state"]) for row in rows(shown, "tasks")} == {("example_function", "FINISHED")}


@pytest.mark.ray
def test_ten_counters_remember_each_for_itself_on_all_nodes(play: Play) -> None:
    shown = play("actors")
    for line in (str([1] * COUNTERS), "[2, 3, 4, 5, 6]", str([6] + [1] * (COUNTERS - 1))):
        assert line in text(shown)
    listed = rows(shown, "actors")
    assert len(listed) == COUNTERS
    assert {row["node_id"] for row in listed} == {node["name"] for node in shown["nodes"][0].values["nodes"]}


@pytest.mark.ray
def test_the_workers_of_a_node_share_one_array_and_copies_are_their_own(play: Play) -> None:
    shown = play("objects")
    said = text(shown)
    assert "values: [1, 2, 3]" in said
    assert said.count("ObjectRef(") == 3
    assert said.count("copied 0 MB") == said.count("read-only, shared file") == 2 * NODES
    assert said.count("copied 32 MB") == said.count("alone") == 2 * NODES
    sizes = {int(row["object_size"]) for row in rows(shown, "objects")}
    assert max(sizes) > 32_000_000


@pytest.mark.ray
def test_pack_takes_one_node_and_spread_two_and_strict_groups_say_why_they_wait(play: Play) -> None:
    shown = play("placement-groups")
    said = text(shown)
    places = {
        strategy: {line.split(" is on ")[1] for line in said.splitlines() if line.startswith(f"{strategy}:")}
        for strategy in ("PACK", "SPREAD")
    }
    assert {strategy: len(names) for strategy, names in places.items()} == {"PACK": 1, "SPREAD": 2}
    assert "4 bundles need 4 nodes, and there are 3" in said
    assert "one node would need 3 CPUs, and the largest has 2" in said
    assert said.count("INFEASIBLE") == 2
    listed = [event.values["rows"] for event in shown["listed"]]
    assert [(row[0], row[1]) for (row,) in listed] == [
        ("demo-PACK", "CREATED"),
        ("demo-SPREAD", "CREATED"),
        ("demo-STRICT_SPREAD", "PENDING"),
        ("demo-STRICT_PACK", "PENDING"),
    ]
    assert set(listed[1][0][3].split(", ")) == places["SPREAD"]


@pytest.mark.ray
def test_only_the_task_that_asks_for_an_environment_has_it(play: Play) -> None:
    shown = play("environment")
    said = text(shown)
    assert "GREETING is None" in said
    assert "GREETING is hello, in /etc" in said
    # Without a way to a package index the demo says so.
    assert "cowsay is 6.1" in said or "cannot install packages" in said


@pytest.mark.ray
def test_several_replicas_answer_and_serve_is_gone_afterwards(play: Play) -> None:
    shown = play("serve")
    assert "30 requests to /greet?name=Pi, each answered: Hello, Pi!" in text(shown)
    assert text(shown).count("replica ") >= 2
    assert len(rows(shown, "actors")) == 3


@pytest.mark.ray
def test_a_cluster_without_autoscaling_says_so_and_shows_what_is_asked_for(play: Play) -> None:
    shown = play("autoscaling")
    assert "this cluster has no autoscaling" in text(shown)
    assert "{'CPU': 1.0}" in text(shown)
    (row,) = rows(shown, "tasks")
    assert (row["name"], row["state"]) == ("one-too-many", "PENDING_NODE_ASSIGNMENT")


@pytest.mark.ray
def test_on_a_cluster_that_grows_a_worker_comes_for_the_task_and_goes_again() -> None:
    variables = surroundings()
    with growing_cluster(variables) as address:
        shown = demo("autoscaling", {**variables, "RAY_ADDRESS": address}, 1)
    assert "The autoscaler has asked for a worker." in text(shown)
    claims = {event.values["claim"] for event in shown["checked"]}
    assert {"the task ran on the worker that came for it", "the worker has gone again"} <= claims
    assert [row["state"] for row in rows(shown, "nodes")] == ["DEAD"]


@pytest.mark.ray
def test_a_killed_task_is_tried_again_an_actor_comes_back_and_an_error_is_raised(play: Play) -> None:
    shown = play("failures")
    tasks = {
        (row["name"], row["attempt_number"], row["state"], row["error_type"]) for row in rows(shown, "tasks")
    }
    assert tasks == {
        ("fragile", "0", "FAILED", "WORKER_DIED"),
        ("fragile", "1", "FINISHED", ""),
        ("wrong", "0", "FAILED", "TASK_EXECUTION_EXCEPTION"),
    }
    assert [row["num_restarts"] for row in rows(shown, "actors")] == ["1"]
    assert "ZeroDivisionError: division by zero" in text(shown)
    assert "\x1b" not in text(shown)


def test_every_demo_has_a_program_short_enough_for_a_screen() -> None:
    folder = ROOT / "workloads/driver/demos"
    programs = {path.stem.replace("_", "-"): path for path in folder.glob("[!_]*.py")}
    assert programs.keys() == DEMOS.keys()
    lengths = {name: len(path.read_text().splitlines()) for name, path in programs.items()}
    assert {name: length for name, length in lengths.items() if length > 80} == {}
