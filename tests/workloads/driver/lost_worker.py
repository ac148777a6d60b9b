"""A driver whose worker dies or stalls: `python lost_worker.py actor|stall|node FILE`; writes JSON lines.

A program of its own, because Ray reads its authentication settings when it is first imported. It writes to a
file, because Ray puts what it has to say of a lost node on the same standard output, in the middle of a line.
"""

import json
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from tests.drawing import drawn
from workloads.driver import nodes, rows
from workloads.driver.crew.crew import Crew
from workloads.driver.programs import mandelbrot
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.plan import Plan
from workloads.protocol.events import Event, Picture
from workloads.protocol.specs import MandelbrotSpec

PLAN = Plan(x_grids=12, y_grids=8, grid_width=60, grid_height=60, max_iterations=20_000)
# The workers of a raylet that was killed may live on for a second or two: the loss shows in row 2 of the
# second repeat, or at the latest in that of the last.
REPEATS = 4


def tell(values: dict[str, Any]) -> None:
    with Path(sys.argv[2]).open("a") as file:
        file.write(json.dumps(values) + "\n")


def lose_an_actor() -> None:
    crew = Crew(nodes.find(3).nodes)
    crew.warm()
    expected = drawn(PLAN).digest()
    killed: list[Any] = []

    def kill_one(_: int) -> None:
        if not killed:
            killed.append(crew.slots[1].actor)
            ray.kill(killed[0])

    with Canvas(PLAN) as canvas:
        first = crew.render(canvas, 3, kill_one)
        outcome = {"same_picture": canvas.digest() == expected, "lost": len(first.lost)}
        lost_later = crew.settle()
        crew.repair(PLAN)
        canvas.clear()
        whole = crew.complete(3)
        second = crew.render(canvas, 3)
        same = canvas.digest() == expected
    tell({**outcome, "whole_again": whole, "same_again": same, "lost_again": len(lost_later + second.lost)})


def stall_an_actor() -> None:
    crew = Crew(nodes.find(3).nodes)
    crew.warm()
    expected = drawn(PLAN).digest()
    process = ray.get(crew.slots[1].actor.__ray_call__.remote(lambda _: os.getpid()))
    stalled = False

    def stall(_: int) -> None:
        nonlocal stalled
        if not stalled:
            stalled = True
            os.kill(process, signal.SIGSTOP)

    with Canvas(PLAN) as canvas:
        try:
            first = crew.render(canvas, 3, stall)
        finally:
            os.kill(process, signal.SIGCONT)
        same = canvas.digest() == expected
        lost = first.lost + crew.settle()
        whole = crew.complete(3)
        canvas.clear()
        crew.render(canvas, 3)
        tell(
            {
                "same_picture": same,
                "lost": len(lost),
                "whole_again": whole,
                "same_again": canvas.digest() == expected,
            }
        )


def lose_a_node(started: Cluster, last: Any) -> None:
    picture = Picture()
    state = {"rows": 0, "lost": False}

    def emit(event: Event) -> None:
        if picture.add(event):
            return
        tell({"kind": event.kind, **event.values})
        state["rows"] += event.kind == "row"
        # Row 2 of the second repeat is the sixth value: its first progress is the middle of it.
        if event.kind == "progress" and state["rows"] == 5 and not state["lost"]:
            state["lost"] = True
            started.remove_node(last, allow_graceful=False)

    assert len(nodes.alive_ids()) == 3
    rows.PROGRESS_INTERVAL_S = 0.0
    spec = MandelbrotSpec(plan=PLAN.to_dict(), repeats=REPEATS, workers=None)
    mandelbrot.run(spec, nodes.find(3), emit)
    with Canvas.unpack(picture.open(), PLAN) as canvas:
        tell({"picture_is_the_single_process_one": canvas.digest() == drawn(PLAN).digest()})


def main(case: str, temp_dir: str) -> None:
    # Ray's test cluster leaves its address there, and only a Ray without a folder of its own makes it.
    Path("/tmp/ray").mkdir(exist_ok=True)
    head = {"num_cpus": 1, "include_dashboard": False, "temp_dir": temp_dir}
    started = Cluster(initialize_head=True, head_node_args=head)
    added = [started.add_node(num_cpus=1) for _ in range(2)]
    try:
        ray.init(address=started.address, logging_level=logging.ERROR, log_to_driver=False)
        if case == "actor":
            lose_an_actor()
        elif case == "stall":
            stall_an_actor()
        else:
            # Rows take the nodes in this order.
            workers = [one for one in nodes.find(3).nodes if not one.is_head]
            last = next(one for one in added if one.node_id == workers[-1].node_id)
            lose_a_node(started, last)
    finally:
        ray.shutdown()
        started.shutdown()  # type: ignore[no-untyped-call]  # Ray has no types for it


if __name__ == "__main__":
    # Not where TMPDIR says: the paths of Ray's sockets would be too long.
    with tempfile.TemporaryDirectory(prefix="prt-", dir="/tmp") as folder:
        main(sys.argv[1], folder)
