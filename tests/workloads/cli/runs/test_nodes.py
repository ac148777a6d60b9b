"""`piray run nodes`: its table and times, and the command as a user runs it."""

import io
import json
from pathlib import Path
from typing import Any, Protocol

import pytest
from rich.console import Console

from tests.workloads.cli.test_app import piray
from workloads.cli.runs.nodes import counts_table, growth_notes, ideal_seconds, time_lines
from workloads.runner.follow import DriverReport


class Head(Protocol):
    def outputs(self, **changes: Any) -> str: ...


def report(*counts: tuple[str, int]) -> DriverReport:
    nodes = [{"name": "pi1", "cpus": 4}, {"name": "pi2", "cpus": 4}]
    return DriverReport(nodes=list(nodes), result={"counts": [list(one) for one in counts]})


@pytest.mark.parametrize(
    ("tasks", "seconds", "cpus", "ideal_s"),
    [(1000, 0.01, 4, 2.5), (1, 10.0, 16, 10.0), (5, 1.0, 4, 2.0), (1000, 0.0, 4, 0.0)],
)
def test_the_ideal_time_is_that_of_the_cpu_with_the_most_tasks(
    tasks: int, seconds: float, cpus: int, ideal_s: float
) -> None:
    assert ideal_seconds(tasks, seconds, cpus) == pytest.approx(ideal_s)


def test_the_overhead_stands_beside_the_ideal_time() -> None:
    execution, ideal, overhead = time_lines(1000, 0.01, 4, 2.75)
    assert execution == "Execution time  2.75 s"
    assert ideal == "Ideal time      2.50 s (1000 tasks x 0.01 s / 4 CPUs)"
    assert overhead.startswith("Overhead        0.250 s (")


def test_a_node_without_a_task_is_in_the_table_and_one_that_came_later_is_named() -> None:
    file = io.StringIO()
    told = report(("pi1", 10), ("pi2", 0), ("abc", 3))
    Console(file=file, width=80).print(counts_table("stack home", told))
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert ["pi1", "4", "10"] in lines
    assert ["pi2", "4", "0"] in lines
    assert ["abc", "-", "3"] in lines
    assert growth_notes(told) == [
        "Nodes came while the tasks ran. The ideal time is that of the CPUs at the beginning."
    ]
    assert growth_notes(report(("pi1", 10), ("pi2", 0))) == []


@pytest.mark.ray
def test_on_a_cluster_all_tasks_are_counted_and_the_file_says_what_they_took(
    head: Head, tmp_path: Path
) -> None:
    done = piray("run", "nodes", "--tasks=50", "--outputs=-", folder=tmp_path, stdin=head.outputs())
    assert done.returncode == 0, done.stderr
    for part in ("Ray Nodes on stack", "Execution time", "Ideal time", "Overhead", "Wrote nodes.json."):
        assert part in done.stdout
    values = json.loads((tmp_path / "nodes.json").read_text())
    assert (values["workload"], values["tasks"], values["seconds"]) == ("nodes", 50, 0.01)
    assert values["counts"] == [[values["nodes"][0]["name"], 50]]
    assert values["ideal_s"] == pytest.approx(50 * 0.01 / values["cpus"])
    assert values["overhead_s"] == pytest.approx(values["wall_s"] - values["ideal_s"])


@pytest.mark.ray
def test_without_a_stack_this_machine_is_the_only_node(tmp_path: Path) -> None:
    done = piray("run", "nodes", "--tasks=20", "--seconds=0", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Ray Nodes on embedded Ray" in done.stdout
    ((_, count),) = json.loads((tmp_path / "nodes.json").read_text())["counts"]
    assert count == 20


@pytest.mark.parametrize("option", ["--tasks=0", "--tasks=100001", "--seconds=-1", "--seconds=61"])
def test_a_number_out_of_bounds_is_refused_with_the_bounds(option: str, tmp_path: Path) -> None:
    done = piray("run", "nodes", option, folder=tmp_path)
    assert done.returncode == 2
    assert "is not in the range" in done.stderr
