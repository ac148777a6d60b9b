"""Decides what runs on one CPU of the cluster: a Ray actor that computes bands, in a slot of its own."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from workloads.driver.nodes import Node, pinned
from workloads.kernels import disk_cache
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.draw import compute_band, draw_band, warm_up
from workloads.mandelbrot.plan import Band, Plan
from workloads.mandelbrot.reference import check_kernel
from workloads.protocol.machine import condition
from workloads.scaling.row_work import kernel_speed


class Worker:
    """Computes bands on one CPU."""

    def warm(self) -> tuple[float, float, int]:
        """Make the kernel ready; return seconds, its updates a second, and how many kernels it compiled."""
        return warm_up(), kernel_speed(), disk_cache.tally().compiled

    def check(self, plan: Plan) -> None:
        """Compare the kernel with the reference."""
        check_kernel(plan)

    def condition(self) -> dict[str, Any]:
        """Say how this node is."""
        return condition()

    def ping(self) -> None:
        """Do nothing."""

    def send(self, size: int) -> NDArray[np.uint8]:
        """Return so many bytes."""
        return np.zeros(size, dtype=np.uint8)

    def begin(self, plan: Plan, path: str | None) -> None:
        """Take note of a picture, and of the canvas's file if it is to be filled here and can be opened."""
        self._plan, self._canvas = plan, None
        if path is not None:
            with suppress(OSError):
                self._canvas = Canvas(plan, path)

    def compute(self, first: int, end: int, left: int, right: int) -> tuple[NDArray[np.uint8] | None, float]:
        """Return the colour indices of a band, None if they are in the file, and the seconds it took."""
        begin, indices = time.perf_counter(), None
        band = Band(first, end, left, right)
        if self._canvas is None:
            indices = compute_band(self._plan, band)
        else:
            draw_band(self._canvas, band)
        return indices, time.perf_counter() - begin


# Not as a decorator: Ray's types then hide what it adds to the class.
_RemoteWorker: Any = ray.remote(max_restarts=0)(Worker)


def start_worker(node: Node) -> Any:
    """Start an actor that holds one CPU of a node."""
    return _RemoteWorker.options(**pinned(node.node_id)).remote()


# Two CPUs of one node are two slots, so slots are compared by identity.
@dataclass(eq=False)
class Slot:
    """One CPU of one node, and the actor that holds it; None once the actor is lost.

    Attributes:
        node: The node.
        shared: Whether its files are the driver's.
        actor: The actor.
        speed: Updates a second of its kernel.
    """

    node: Node
    shared: bool
    actor: Any = None
    speed: float = 0.0
