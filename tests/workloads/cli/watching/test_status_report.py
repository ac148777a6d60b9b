"""The report of a status: what waits and what is wrong, in lines that fit 100 columns."""

import io

from rich.console import Console

from workloads.cli.watching.status_report import demand_line, print_status
from workloads.runner.cluster_state.problem import Problem
from workloads.runner.cluster_state.ray.demands import Demand
from workloads.runner.cluster_state.ray.nodes import RayNode
from workloads.runner.cluster_state.ray.status import RayStatus, RunningJob
from workloads.runner.cluster_state.status import ClusterStatus, PodRow

GIB = 2**30
BUSY = Demand("render", "task", 7, "1 CPU", "all that could hold it is in use", possible=True)
HUGE = Demand("huge", "task", 1, "4 CPUs", "no node has 4 CPUs: the largest has 3 CPUs", possible=False)


def node(name: str, *, head: bool = False, used: float | None = 1.0) -> RayNode:
    return RayNode(
        id=name * 8,
        name=name,
        host=name,
        address="10.42.0.1",
        is_head=head,
        alive=True,
        group="",
        message="",
        cpus=3.0,
        cpus_used=used,
        memory_bytes=2 * GIB,
        memory_used_bytes=GIB,
        store_bytes=GIB,
        store_used_bytes=0,
        resources={},
    )


def printed(status: ClusterStatus) -> str:
    file = io.StringIO()
    print_status(status, Console(file=file, width=100))
    assert max(map(len, file.getvalue().splitlines())) <= 100
    return file.getvalue()


def of_ray(*nodes: RayNode) -> RayStatus:
    return RayStatus(
        nodes=nodes,
        jobs=(RunningJob("piray-job-1", "python " + "x" * 90),),
        tasks={"RUNNING": 2},
        actors={},
        demands=(BUSY, HUGE),
        problems=(),
    )


def test_what_can_never_come_is_told_from_what_only_has_to_wait() -> None:
    assert demand_line(BUSY) == "7 tasks render: each wants 1 CPU; all that could hold it is in use."
    assert "It waits for ever, unless a node comes that has it" in demand_line(HUGE)


def test_the_sums_of_the_nodes_are_shown_and_a_sum_with_an_unknown_part_is_not_known() -> None:
    status = ClusterStatus(
        target="stack home", ray=of_ray(node("pi1"), node("pi2")), pods=(), problems=(), missing=()
    )
    text = printed(status)
    assert "2 of 6" in text
    assert "2.0 GiB of 4.0 GiB" in text
    assert "Tasks: 2 running. Actors: none." in text
    assert "Nothing is wrong." in text
    unknown = ClusterStatus(
        target="stack home", ray=of_ray(node("pi1"), node("pi2", used=None)), pods=(), problems=(), missing=()
    )
    assert "? of 6" in printed(unknown)


def test_what_is_wrong_now_comes_before_what_is_over_each_with_its_remedy() -> None:
    problems = (
        Problem("worker a", "was killed.", "nothing.", over=True, at="2026-11-27T20:00:00Z"),
        Problem("head b", "[red]cannot start.", "raise ray.headMemoryMib."),
    )
    pods = (PodRow("ray-head-b", "head", "CrashLoopBackOff", "pi1", 4),)
    text = printed(
        ClusterStatus(
            target="stack home", ray=None, pods=pods, problems=problems, missing=("Ray says nothing.",)
        )
    )
    order = [
        *("CrashLoopBackOff", "Wrong: head b [red]cannot start.", "→ raise ray.headMemoryMib."),
        *("Earlier: worker a was killed. (2026-11-27T20:00:00Z)", "Not known: Ray says nothing."),
    ]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "Nothing is wrong" not in text
