"""One picture on its way: bands handed out, results put in their place, losses noticed."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from workloads.driver.crew.worker import Slot
from workloads.driver.nodes import LOSSES, WorkloadError
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.plan import Band
from workloads.scaling.row_work import row_work
from workloads.scaling.schedule import CALLS_IN_HAND, Schedule

# How often to look whether somebody is late.
LOOK_S = 0.1


# Two calls for one band are two calls, so calls are compared by identity.
@dataclass(eq=False)
class Call:
    """A band in a worker's hand.

    Attributes:
        worker: Number of the slot.
        band: The band.
        future: Becomes the band's colour indices (None if they are in the file) and the seconds it took.
    """

    worker: int
    band: Band
    future: Future[tuple[NDArray[np.uint8] | None, float]]


class Rendering:
    """One picture on its way.

    Args:
        canvas: Filled.
        slots: Who computes.
        call_s: Seconds a call takes beside its work.

    Attributes:
        slots: Who computes; those without an actor get nothing.
        schedule: Who gets which band.
        in_hand: Calls that have not ended.
        lost: Names of the nodes whose actor was lost on the way, one for each actor.
        busy_s: Seconds that the actors computed, summed.
        calls: How many calls were made.
    """

    def __init__(self, canvas: Canvas, slots: Sequence[Slot], call_s: float) -> None:
        self.slots, self._canvas = slots, canvas
        self.schedule = Schedule(canvas.plan, row_work(canvas.plan), [slot.speed for slot in slots], call_s)
        for worker, slot in enumerate(slots):
            if slot.actor is None:
                self.schedule.lose(worker)
            else:
                # Once, for each argument that is no number costs a call as much as all the rest.
                slot.actor.begin.remote(canvas.plan, canvas.path if slot.shared else None)
        self.in_hand: set[Call] = set()
        self.lost: list[str] = []
        self.busy_s, self.calls = 0.0, 0
        self._idle: set[int] = set()
        # How many calls each worker has in hand.
        self._held: Counter[int] = Counter()
        self._arrived: SimpleQueue[Call] = SimpleQueue()

    def hand_out(self, workers: Iterable[int]) -> None:
        """Give some workers, and those that have nothing to do, what they are to compute next.

        Raises:
            WorkloadError: If there is no worker any more.
        """
        now = time.perf_counter()
        asked = sorted({*workers, *self._idle})
        for _ in range(CALLS_IN_HAND):
            for worker in asked:
                if (band := self.schedule.next(worker, now)) is not None:
                    self._call(worker, band)
        self._idle = {worker for worker in asked if not self._held[worker]}
        if not self.in_hand and not self.schedule.finished:
            raise WorkloadError(
                f"every Ray worker was lost ({', '.join(self.lost)}): look at their pods and logs."
            )

    def _call(self, worker: int, band: Band) -> None:
        reference = self.slots[worker].actor.compute.remote(band.first, band.end, band.left, band.right)
        call = Call(worker, band, reference.future())
        self.in_hand.add(call)
        self._held[worker] += 1
        self.calls += 1
        call.future.add_done_callback(lambda _: self._arrived.put(call))

    def wait(self) -> list[Call]:
        """Wait for a call to end and return all that have; none after a moment."""
        arrivals = []
        with suppress(Empty):
            arrivals.append(self._arrived.get(timeout=LOOK_S))
            while True:
                arrivals.append(self._arrived.get_nowait())
        return arrivals

    def take(self, call: Call) -> int:
        """Put the result of a call in its place; return how many pixels are new."""
        self.in_hand.discard(call)
        self._held[call.worker] -= 1
        slot = self.slots[call.worker]
        try:
            indices, seconds = call.future.result()
        except LOSSES:
            self.schedule.lose(call.worker)
            if slot.actor is not None:
                self.lost.append(slot.node.name)
                slot.actor = None
            return 0
        self.busy_s += seconds
        if not self.schedule.finish(call.worker, call.band, time.perf_counter(), seconds):
            return 0
        if indices is not None:
            self._canvas.place(call.band, indices)
        return call.band.rows * call.band.columns
