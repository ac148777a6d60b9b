"""Decides how a picture is measured: a row for each number of workers, its values, its checks.

On a cluster of several nodes row k is the head with k worker nodes, as in the 2020 article, whose head
computed too: row 0 is the head alone. On a single node row 0 is the driver's process alone, without Ray, and
row k is k actors of one core each.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from workloads.driver import nodes
from workloads.driver.crew.crew import Crew, Rendered
from workloads.driver.nodes import Node, WorkloadError
from workloads.kernels import disk_cache
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.draw import draw, warm_up
from workloads.mandelbrot.plan import Plan
from workloads.mandelbrot.reference import KernelMismatch, check_kernel
from workloads.protocol.events import Emit, Event

PROGRESS_INTERVAL_S = 0.2
# A value during which a worker was lost is taken once more, if the worker could be replaced.
ATTEMPTS = 2
NOTHING_MEASURED = "no row could be measured: its workers were lost. Look at their pods and logs."


@dataclass
class MeasuredRow:
    """One number of workers.

    Attributes:
        workers: The number.
        nodes: Names of the nodes that compute, in the order they are added.
        actors: Actors that compute; 0 for the driver's process alone.
        values_s: Wall time of each repeat.
        busy_s: Seconds that the actors computed in each repeat, summed over them.
        complete: False once a node of the row is lost for good.
    """

    workers: int
    nodes: tuple[str, ...]
    actors: int
    values_s: list[float] = field(default_factory=list)
    busy_s: list[float] = field(default_factory=list)
    complete: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return what was measured as JSON types."""
        return {
            "workers": self.workers,
            "nodes": list(self.nodes),
            "actors": self.actors,
            "values_s": self.values_s,
            "busy_s": self.busy_s,
        }


def rows_to_dict(rows: Sequence[MeasuredRow]) -> dict[str, Any]:
    """Return the rows that were measured, and the numbers of those that lost a worker for good."""
    return {
        "rows": [row.to_dict() for row in rows if row.values_s],
        "dropped": [row.workers for row in rows if not row.complete],
    }


def layout(nodes: Sequence[Node], max_workers: int | None) -> tuple[str, list[MeasuredRow], list[Node]]:
    """Decide the rows.

    Args:
        nodes: The head first.
        max_workers: The last row; None for all there are.

    Returns:
        What a worker is ("node" or "core"), the rows, and the node of each actor in the order of use.

    Raises:
        WorkloadError: If there are fewer workers than asked for, or no CPU at all.
    """
    if len(nodes) == 1:
        unit, workers = "core", nodes[0].cpus
    else:
        unit, workers = "node", len(nodes) - 1
    if max_workers is not None and max_workers > workers:
        raise WorkloadError(
            f"--workers {max_workers} is more than there are: choose 0 to {workers} ({unit}s of "
            f"{', '.join(node.name for node in nodes)})."
        )
    wanted = workers if max_workers is None else max_workers
    if unit == "core":
        name = nodes[0].name
        return unit, [MeasuredRow(k, (name,), k) for k in range(wanted + 1)], [nodes[0]] * wanted
    slots = [node for node in nodes[: wanted + 1] for _ in range(node.cpus)]
    rows = []
    for k in range(wanted + 1):
        members = [node for node in nodes[: k + 1] if node.cpus > 0]
        if members:
            rows.append(
                MeasuredRow(k, tuple(node.name for node in members), sum(node.cpus for node in members))
            )
    if not rows:
        raise WorkloadError(
            "no node of the cluster has a CPU to compute on: raise piray:workers and run `make up`."
        )
    return unit, rows, slots


def begin(
    found: Sequence[Node], max_workers: int | None, emit: Emit
) -> tuple[str, list[MeasuredRow], Crew, dict[str, Any]]:
    """Decide the rows and warm everything; report by the event warm.

    Args:
        found: The head first.
        max_workers: The last row; None for all there are.
        emit: Takes the event.

    Returns:
        What a worker is, the rows, the actors, and what getting there took: `start_s` (from the driver's
        start until all were warm), `cold_s` (of the driver and of each actor: compilation, or loading what
        was compiled before), `compiled` (how many kernels had to be compiled), `call_s` (what a call costs
        beside its work).

    Raises:
        WorkloadError: If the cluster has not what was asked for.
    """
    unit, rows, slots = layout(found, max_workers)
    crew = Crew(slots)
    cold_s = [warm_up(), *crew.warm()]
    start = {
        "start_s": time.monotonic() - nodes.STARTED,
        "cold_s": cold_s,
        "compiled": disk_cache.tally().compiled + crew.compiled,
        "call_s": crew.call_s if slots else None,
    }
    emit(Event("warm", start))
    return unit, rows, crew, start


def check(plan: Plan, crew: Crew) -> None:
    """Compare the kernels of the driver and of the actors with the reference, before anything is timed.

    Raises:
        WorkloadError: If one is wrong.
    """
    try:
        check_kernel(plan)
    except KernelMismatch as error:
        raise WorkloadError(str(error)) from None
    crew.check(plan)


class Progress:
    """Counts pixels and tells about it now and then."""

    def __init__(self, total: int, emit: Emit) -> None:
        self._done, self._total = 0, total
        self._emit = emit
        self._next = 0.0

    def add(self, pixels: int) -> None:
        """Count pixels."""
        self._done += pixels
        if time.monotonic() >= self._next:
            self._tell()

    def extend(self, pixels: int) -> None:
        """Announce pixels that have to be computed once more."""
        self._total += pixels

    def finish(self) -> None:
        """Tell the last count."""
        self._tell()

    def _tell(self) -> None:
        self._next = time.monotonic() + PROGRESS_INTERVAL_S
        self._emit(Event("progress", {"done": self._done, "total": self._total}))


def measure(crew: Crew, row: MeasuredRow, canvas: Canvas, progress: Progress, emit: Emit) -> bool:
    """Take one value of a row, again if a worker was lost.

    Args:
        crew: The actors.
        row: Gets the value.
        canvas: Cleared, then filled.
        progress: Gets the pixels.
        emit: Takes the events row and loss.

    Returns:
        False if the row had to be given up.
    """
    plan = canvas.plan
    for _ in range(ATTEMPTS):
        if not crew.complete(row.actors):
            break
        # A band that is never placed must not pass for the one that an earlier row left there.
        canvas.clear()
        rendered = _render(crew, row, canvas, progress)
        lost = (*rendered.lost, *crew.settle())
        if not lost:
            row.values_s.append(rendered.wall_s)
            row.busy_s.append(rendered.busy_s)
            emit(_row_event(row, rendered))
            return True
        # The time of a picture that fewer workers finished says nothing about this row.
        crew.repair(plan)
        emit(Event("loss", {"workers": row.workers, "lost": list(lost)}))
        progress.extend(plan.width * plan.height)
    row.complete = False
    return False


def _render(crew: Crew, row: MeasuredRow, canvas: Canvas, progress: Progress) -> Rendered:
    if row.actors > 0:
        return crew.render(canvas, row.actors, progress.add)
    begin = time.perf_counter()
    draw(canvas, progress.add)
    wall_s = time.perf_counter() - begin
    return Rendered(wall_s, wall_s, 0, ())


def _row_event(row: MeasuredRow, rendered: Rendered) -> Event:
    return Event(
        "row",
        {
            "workers": row.workers,
            "value": len(row.values_s),
            "wall_s": rendered.wall_s,
            "busy_s": rendered.busy_s,
            "calls": rendered.calls,
        },
    )


def same_picture(canvas: Canvas, digest: str, row: MeasuredRow) -> str:
    """Return the digest of a picture.

    Args:
        canvas: The picture.
        digest: That of an earlier one of the same plan; empty for none.
        row: Who computed it.

    Raises:
        WorkloadError: If they differ.
    """
    found = canvas.digest()
    if digest and found != digest:
        raise WorkloadError(
            f"the picture of row {row.workers} differs from the first one (nodes {', '.join(row.nodes)}): "
            "the nodes compute different values; use one kind of processor and one image for all of them."
        )
    return found
