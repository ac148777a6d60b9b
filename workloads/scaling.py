"""Decides what is measured of the Mandelbrot workload: a row for each number of workers, repeats, checks.

On a cluster of several nodes row k is the head with k worker nodes, as in the first write-up, whose head
computed too: row 0 is the head alone. On a single node row 0 is the driver's process alone, without Ray, and
row k is k actors of one core each.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from workloads import cluster
from workloads.cluster import Node, WorkloadError
from workloads.colour import colour_indices, pack
from workloads.crew import Crew, Rendering
from workloads.events import Emit, Event, picture_events
from workloads.mandelbrot import KernelMismatch, check_kernel, compute_image, warm_up
from workloads.plan import Plan

PROGRESS_INTERVAL_S = 0.2
# A value during which a worker was lost is taken once more, if the worker could be replaced.
ATTEMPTS = 2


@dataclass
class Row:
    """One number of workers.

    Attributes:
        workers: The number.
        nodes: Names of the nodes that compute, in the order they are added.
        actors: Actors that compute; 0 for the driver's process alone.
        values_s: Wall time of each repeat.
        complete: False once a node of the row is lost for good.
    """

    workers: int
    nodes: tuple[str, ...]
    actors: int
    values_s: list[float] = field(default_factory=list)
    complete: bool = True


def layout(nodes: Sequence[Node], max_workers: int | None) -> tuple[str, list[Row], list[Node]]:
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
        return unit, [Row(k, (name,), k) for k in range(wanted + 1)], [nodes[0]] * wanted
    slots = [node for node in nodes[: wanted + 1] for _ in range(node.cpus)]
    rows = []
    for k in range(wanted + 1):
        members = [node for node in nodes[: k + 1] if node.cpus > 0]
        if members:
            rows.append(Row(k, tuple(node.name for node in members), sum(node.cpus for node in members)))
    if not rows:
        raise WorkloadError("no node of the cluster has a CPU to compute on: give it workers and `make up`.")
    return unit, rows, slots


def run(plan: Plan, repeats: int, max_workers: int | None, expected: int, emit: Emit) -> None:
    """Measure and report by events: nodes, warm, progress, row, loss, picture, result.

    Args:
        plan: The problem.
        repeats: Values of each row; rows take turns, so that a slow minute hits all of them.
        max_workers: The last row; None for all there are.
        expected: Nodes that the stack declares.
        emit: Takes the events.

    Raises:
        WorkloadError: If the cluster cannot compute it, or two pictures differ.
    """
    nodes = cluster.nodes(expected)
    emit(Event("nodes", {"nodes": cluster.describe(nodes), "expected": expected}))
    unit, rows, slots = layout(nodes, max_workers)
    crew = Crew(plan, slots)
    cold = [_warm_driver(plan), *crew.warm()]
    emit(Event("warm", {"cold_s": cold}))
    image = np.zeros((plan.height, plan.width), dtype=np.float32)
    progress = Progress(plan.n_tiles * repeats * len(rows), emit)
    digest = ""
    for _ in range(repeats):
        for row in rows:
            if row.complete and _measure(
                plan=plan, crew=crew, row=row, image=image, progress=progress, emit=emit
            ):
                digest = _same_picture(image, digest, row)
    progress.finish()
    if not digest:
        raise WorkloadError("no row could be measured: its workers were lost. Look at their pods and logs.")
    for event in picture_events(pack(colour_indices(image, plan))):
        emit(event)
    emit(
        Event(
            "result",
            {
                "unit": unit,
                "rows": [
                    {
                        "workers": row.workers,
                        "nodes": list(row.nodes),
                        "actors": row.actors,
                        "values_s": row.values_s,
                    }
                    for row in rows
                    if row.values_s
                ],
                "dropped": [row.workers for row in rows if not row.complete],
                "image_sha256": digest,
                "cold_s": cold,
            },
        )
    )


class Progress:
    """Counts tiles and tells about it now and then."""

    def __init__(self, total: int, emit: Emit) -> None:
        self._done, self._total = 0, total
        self._emit = emit
        self._next = 0.0

    def add(self, tiles: int) -> None:
        """Count tiles."""
        self._done += tiles
        if time.monotonic() >= self._next:
            self._tell()

    def extend(self, tiles: int) -> None:
        """Announce tiles that have to be computed once more."""
        self._total += tiles

    def finish(self) -> None:
        """Tell the last count."""
        self._tell()

    def _tell(self) -> None:
        self._next = time.monotonic() + PROGRESS_INTERVAL_S
        self._emit(Event("progress", {"done": self._done, "total": self._total}))


def _warm_driver(plan: Plan) -> float:
    try:
        seconds = warm_up()
        check_kernel(plan)
    except KernelMismatch as error:
        raise WorkloadError(str(error)) from None
    return seconds


def _measure(
    *, plan: Plan, crew: Crew, row: Row, image: NDArray[np.float32], progress: Progress, emit: Emit
) -> bool:
    """Take one value of a row, again if a worker was lost; return False if the row had to be given up."""
    for _ in range(ATTEMPTS):
        if not crew.complete(row.actors):
            break
        # A tile that is never placed must not pass for the one that an earlier row left there.
        image.fill(np.nan)
        if row.actors == 0:
            begin = time.perf_counter()
            image[...] = compute_image(plan, lambda: progress.add(1))
            rendering = Rendering(time.perf_counter() - begin, ())
        else:
            rendering = crew.render(row.actors, image, progress.add)
        if not rendering.lost:
            row.values_s.append(rendering.wall_s)
            emit(
                Event("row", {"workers": row.workers, "value": len(row.values_s), "wall_s": rendering.wall_s})
            )
            return True
        # The time of a picture that fewer workers finished says nothing about this row.
        crew.repair()
        emit(Event("loss", {"workers": row.workers, "lost": list(rendering.lost)}))
        progress.extend(plan.n_tiles)
    row.complete = False
    return False


def _same_picture(image: NDArray[np.float32], digest: str, row: Row) -> str:
    found = hashlib.sha256(image.data).hexdigest()
    if np.isnan(image).any() or (digest and found != digest):
        raise WorkloadError(
            f"the picture of row {row.workers} differs from the first one (nodes {', '.join(row.nodes)}): "
            "the nodes do not compute alike; use one kind of processor and one image for all of them."
        )
    return found
