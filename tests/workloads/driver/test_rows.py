"""Rows, calls and lost workers of the Mandelbrot benchmark."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.driver.lost_worker import REPEATS
from workloads.driver.nodes import Node, WorkloadError
from workloads.driver.rows import layout
from workloads.runner.embedded import environment

ROOT = Path(__file__).resolve().parents[3]


def node(name: str, cpus: int = 1, is_head: bool = False) -> Node:
    return Node(node_id=name, host=name, pod=None, name=name, cpus=cpus, is_head=is_head, facts={})


def test_row_k_of_a_cluster_is_the_head_with_k_workers() -> None:
    unit, rows, slots = layout([node("head", 1, True), node("a", 2), node("b", 3)], None)
    assert unit == "node"
    assert [(row.workers, row.nodes, row.actors) for row in rows] == [
        (0, ("head",), 1),
        (1, ("head", "a"), 3),
        (2, ("head", "a", "b"), 6),
    ]
    assert [slot.name for slot in slots] == ["head", "a", "a", "b", "b", "b"]


def test_a_head_without_a_cpu_computes_nothing_and_has_no_row() -> None:
    _, rows, slots = layout([node("head", 0, True), node("a"), node("b")], None)
    assert [(row.workers, row.nodes) for row in rows] == [(1, ("a",)), (2, ("a", "b"))]
    assert [slot.name for slot in slots] == ["a", "b"]


def test_on_a_single_node_a_worker_is_a_core() -> None:
    unit, rows, slots = layout([node("here", 2, True)], None)
    assert unit == "core"
    assert [(row.workers, row.actors) for row in rows] == [(0, 0), (1, 1), (2, 2)]
    assert len(slots) == 2


def test_fewer_workers_may_be_asked_for_but_not_more() -> None:
    nodes = [node("head", 1, True), node("a"), node("b")]
    assert [row.workers for row in layout(nodes, 1)[1]] == [0, 1]
    with pytest.raises(WorkloadError, match=r"--workers 3 is more than there are: choose 0 to 2"):
        layout(nodes, 3)


def test_a_cluster_without_a_cpu_is_refused() -> None:
    with pytest.raises(WorkloadError, match="no node of the cluster has a CPU"):
        layout([node("head", 0, True), node("a", 0)], None)


def drive(case: str, told: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("lost_worker.py")), case, str(told)],
        cwd=ROOT,
        env={**environment({"PATH": "/usr/bin:/bin", "HOME": str(told.parent)}), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in told.read_text().splitlines()]


@pytest.mark.ray
def test_a_killed_actor_costs_only_its_tiles_and_is_replaced(tmp_path: Path) -> None:
    (outcome,) = drive("actor", tmp_path / "told")
    assert outcome == {
        "same_picture": True,
        "lost": 1,
        "whole_again": True,
        "same_again": True,
        "lost_again": 0,
    }


@pytest.mark.ray
def test_an_actor_that_stalls_is_overtaken_by_copies_of_its_bands(tmp_path: Path) -> None:
    (outcome,) = drive("stall", tmp_path / "told")
    assert outcome == {"same_picture": True, "lost": 0, "whole_again": True, "same_again": True}


@pytest.mark.ray
def test_a_node_lost_for_good_ends_its_row_and_spares_the_others(tmp_path: Path) -> None:
    *events, summary = drive("node", tmp_path / "told")
    (loss,) = [event for event in events if event["kind"] == "loss"]
    (result,) = [event for event in events if event["kind"] == "result"]
    assert loss["workers"] == 2
    assert result["unit"] == "node"
    assert result["dropped"] == [2]
    values = {row["workers"]: len(row["values_s"]) for row in result["rows"]}
    assert values.keys() == {0, 1, 2}
    assert values[0] == values[1] == REPEATS
    assert 1 <= values[2] < REPEATS
    # A node that is gone is not asked of throttling at the end, and keeps nobody waiting.
    (after,) = [event for event in events if event["kind"] == "after"]
    assert len(after["nodes"]) == 2
    assert all(node.keys() == {"name", "throttled", "temperature_c"} for node in after["nodes"])
    assert summary == {"picture_is_the_single_process_one": True}
