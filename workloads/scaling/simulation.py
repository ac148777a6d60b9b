"""Decides how long a cluster would take for a picture: the real `Schedule`, in simulated time.

Workers compute, results queue on the way into the driver's node, and the driver does one thing after the
other. Every second of every worker is accounted for: it computed what was used, or lost it to a named cause.
Not in the model: switches between the nodes, lost workers, and the driver's search through its workers.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workloads.mandelbrot.plan import Band, Plan
from workloads.scaling.schedule import CALLS_IN_HAND, Schedule
from workloads.scaling.simulated_cluster import SimulatedCluster

# How often idle workers are asked whether a copy is worth while; real ones are at every arrival. With many
# workers less often, so that thousands are simulated in seconds.
LOOK_S, LOOK_WORKER_S = 0.01, 3e-5
# No node is slower than this part of the others, however wide the spread.
LEAST_SPEED = 0.1

# Why a worker computes nothing that is used. "call": it takes a call, or puts the result into memory. "tail":
# nothing is left for it, or somebody else was earlier.
Cause = Literal["driver", "link", "latency", "call", "tail"]
CAUSES: tuple[Cause, ...] = ("driver", "link", "latency", "call", "tail")
# Where a call has been, and until when.
Way = tuple[tuple[float, Cause], ...]


@dataclass(frozen=True)
class SimulatedRun:
    """What a simulated picture took.

    Attributes:
        workers: How many cores computed.
        wall_s: Seconds until the last band was in its place.
        calls: How many calls were made, copies included.
        busy_s: Seconds that the cores computed what was used, summed.
        efficiency: Work over what all cores could have done in that time.
        lost: What is missing to 1, by cause.
    """

    workers: int
    wall_s: float
    calls: int
    busy_s: float
    efficiency: float
    lost: dict[Cause, float]

    @property
    def main_cause(self) -> Cause:
        """The cause that costs most time."""
        return max(CAUSES, key=lambda cause: self.lost[cause])


def simulate(
    plan: Plan, row_work: NDArray[np.float64], cluster: SimulatedCluster, error: float = 0.0, seed: int = 0
) -> SimulatedRun:
    """Let a cluster compute a picture in simulated time.

    Args:
        plan: The picture.
        row_work: Work of each row as the driver estimates it, shape (plan.height,), above 0.
        cluster: Who computes.
        error: Standard deviation of the logarithm of a band's true work over its estimate.
        seed: Of these errors and of the spread of speeds.
    """
    return _Simulation(plan, row_work, cluster, error, seed).run()


# Two cores of one node are two workers, so workers are compared by identity.
@dataclass(eq=False)
class _Worker:
    """One core.

    Attributes:
        index: Its number in the schedule.
        local: Whether it is on the driver's node.
        speed: True updates a second.
        way: The way of its last result.
        held: How many calls it was given and the driver has no result of.
        waiting: Calls that have arrived.
        call: What it computes; None for nothing.
        since_s: Since when it does what it does, computing or not.
    """

    index: int
    local: bool
    speed: float
    way: Way
    held: int = 0
    waiting: deque["_Call"] = field(default_factory=deque)
    call: "_Call | None" = None
    since_s: float = 0.0


@dataclass
class _Call:
    """One call.

    Attributes:
        worker: Who computes it.
        band: What.
        way: Where it has been on its way to the worker, and from when its result is ready to the driver.
        seconds: How long it computes.
        gap_s: How long the worker needs for it beside.
        stolen_s: How long the driver held the worker's core meanwhile.
        waited_s: How much of that has passed.
    """

    worker: _Worker
    band: Band
    way: Way
    seconds: float = 0.0
    gap_s: float = 0.0
    stolen_s: float = 0.0
    waited_s: float = 0.0

    @property
    def pixels(self) -> int:
        """How many it computes, a byte each."""
        return self.band.rows * self.band.columns


class _Simulation:
    """One picture on its way."""

    def __init__(
        self, plan: Plan, row_work: NDArray[np.float64], cluster: SimulatedCluster, error: float, seed: int
    ) -> None:
        self._plan, self._cluster, self._error = plan, cluster, error
        self._before = np.concatenate(([0.0], np.cumsum(row_work))).tolist()
        self._random = random.Random(seed)
        known = [
            cluster.speed * max(LEAST_SPEED, self._random.gauss(1.0, cluster.spread)) for _ in cluster.cores
        ]
        true = [*known[:-1], known[-1] / cluster.straggler]
        nodes = [node for node, cores in enumerate(cluster.cores) for _ in range(cores)]
        start: Way = ((cluster.start_s, "driver"),)
        self._workers = [_Worker(index, node == 0, true[node], start) for index, node in enumerate(nodes)]
        self._local = [worker for worker in self._workers if worker.local]
        self._schedule = Schedule(plan, row_work, [known[node] for node in nodes], cluster.call_s)
        self._factors: dict[Band, float] = {}
        # When, in which order, what happens, and to which call.
        self._events: list[tuple[float, int, Callable[[float, _Call], None], _Call]] = []
        self._order = 0
        # Until when the driver and the link into its node are busy.
        self._driver_s, self._link_s = cluster.start_s, 0.0
        # When idle workers are asked next; None while bands are left that nobody holds.
        self._look_s: float | None = None
        self._calls, self._busy_s, self._work = 0, 0.0, 0.0
        self._lost = dict.fromkeys(CAUSES, 0.0)
        self._last: Way = ()

    def run(self) -> SimulatedRun:
        """Return what the picture took."""
        for _ in range(CALLS_IN_HAND):
            for worker in self._workers:
                self._hand_out(worker, self._driver_s)
        while not self._schedule.finished:
            if self._look_s is not None and self._look_s <= self._events[0][0]:
                self._look(self._look_s)
                continue
            now, _, act, call = heapq.heappop(self._events)
            act(now, call)
        return self._result()

    def _at(self, when: float, act: Callable[[float, _Call], None], call: _Call) -> None:
        self._order += 1
        heapq.heappush(self._events, (when, self._order, act, call))

    def _drive(self, now: float, seconds: float) -> None:
        """Let the driver work, on a core of its own or on one that a worker computes on."""
        self._driver_s = max(self._driver_s, now) + seconds
        calls = [worker.call for worker in self._local if worker.call is not None]
        if calls and len(calls) == len(self._local) and not self._cluster.spare_core:
            min(calls, key=lambda call: call.stolen_s).stolen_s += seconds

    def _hand_out(self, worker: _Worker, now: float) -> None:
        """Give a worker what it is to compute next, if there is anything."""
        band = self._schedule.next(worker.index, now)
        if band is None:
            if self._look_s is None and not worker.held:
                self._look_s = now + LOOK_S
            return
        asked_s = self._driver_s
        self._drive(asked_s, self._cluster.call_s / 2)
        self._calls += 1
        worker.held += 1
        arrival_s = self._driver_s + (0.0 if worker.local else self._cluster.latency_s)
        way: Way = ((asked_s, "tail"), (self._driver_s, "driver"), (arrival_s, "latency"))
        self._at(arrival_s, self._arrive, _Call(worker, band, (*worker.way, *way)))

    def _look(self, now: float) -> None:
        """Ask the workers that have nothing to do."""
        self._drive(now, 0.0)
        asked_s = self._driver_s
        for worker in self._workers:
            if not worker.held:
                self._hand_out(worker, asked_s)
        self._look_s = asked_s + LOOK_S + LOOK_WORKER_S * len(self._workers)

    def _arrive(self, now: float, call: _Call) -> None:
        call.worker.waiting.append(call)
        if call.worker.call is None:
            self._begin(now, call.worker)

    def _begin(self, now: float, worker: _Worker) -> None:
        """Let a worker compute what waits for it."""
        worker.call = call = worker.waiting.popleft()
        self._charge(worker, now, call.way)
        worker.since_s = now
        band = call.band
        if self._error and band not in self._factors:
            self._factors[band] = self._random.lognormvariate(0.0, self._error)
        share = band.columns / self._plan.width * self._factors.get(band, 1.0)
        call.seconds = (self._before[band.end] - self._before[band.first]) * share / worker.speed
        call.gap_s = self._cluster.gap_s + call.pixels / self._cluster.copy_bytes_s
        self._at(now + call.seconds + call.gap_s, self._end, call)

    def _end(self, now: float, call: _Call) -> None:
        """Send a result on its way, unless the driver has taken some of the time."""
        worker = call.worker
        if call.stolen_s > call.waited_s:
            late_s, call.waited_s = call.stolen_s - call.waited_s, call.stolen_s
            self._at(now + late_s, self._end, call)
            return
        self._lost["call"] += call.gap_s * worker.speed
        self._lost["driver"] += call.stolen_s * worker.speed
        call.way = ((now, "tail"),)
        arrival_s = now
        if not worker.local:
            self._link_s = max(now, self._link_s) + call.pixels / self._cluster.link_bytes_s
            arrival_s = self._link_s + self._cluster.latency_s
            call.way = (*call.way, (self._link_s, "link"), (arrival_s, "latency"))
        self._at(arrival_s, self._take, call)
        worker.call, worker.since_s = None, now
        if worker.waiting:
            self._begin(now, worker)

    def _take(self, now: float, call: _Call) -> None:
        """Let the driver put a result in its place and think of the worker's next call."""
        worker = call.worker
        self._drive(now, self._cluster.call_s / 2 + call.pixels / self._cluster.copy_bytes_s)
        worker.held -= 1
        worker.way = self._last = (*call.way, (self._driver_s, "driver"))
        if self._schedule.finish(worker.index, call.band, self._driver_s, call.seconds + call.stolen_s):
            self._busy_s += call.seconds
            self._work += call.seconds * worker.speed
        else:
            self._lost["tail"] += call.seconds * worker.speed
        if self._look_s is None:
            self._hand_out(worker, self._driver_s)

    def _charge(self, worker: _Worker, until_s: float, way: Way) -> None:
        """Account for the time in which a worker computed nothing that is used."""
        at = worker.since_s
        for end_s, cause in (*way, (until_s, "tail")):
            step = min(end_s, until_s) - at
            if step > 0.0:
                self._lost[cause] += step * worker.speed
                at += step

    def _result(self) -> SimulatedRun:
        wall_s = self._driver_s
        for worker in self._workers:
            # What is being computed now is not needed; the others wait for the last result.
            self._charge(worker, wall_s, () if worker.call else (*worker.way, *self._last))
        for _, _, act, call in self._events:
            if act == self._take:
                self._lost["tail"] += call.seconds * call.worker.speed
        capacity = wall_s * sum(worker.speed for worker in self._workers)
        return SimulatedRun(
            workers=len(self._workers),
            wall_s=wall_s,
            calls=self._calls,
            busy_s=self._busy_s,
            efficiency=self._work / capacity,
            lost={cause: lost / capacity for cause, lost in self._lost.items()},
        )
