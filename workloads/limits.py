"""Decides what the simulation is asked: this machine before it is measured, and Pis that nobody has here.

A stack of N Pis is one whose head gives a core to the work and N - 1 that give three each, as by default.
"""

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from workloads.plan import Plan
from workloads.simulation import Cause, Cluster, Outcome, simulate
from workloads.work import SIDE, row_work

HEAD_CORES, WORKER_CORES = 1, 3
NODES = (4, 16, 64, 1000)
GOOD = 0.9
# The search goes no further, and no finer than this share of the nodes.
MOST_NODES = 1000
FINENESS = 0.05
# The estimates' own error, by counts of the updates: a strip of the write-up's picture scatters by 0.01, of a
# deep one by 0.06, of one with 1000 iterations by 0.15.
ERROR = 0.15

COPY_BYTES, COPIES = 2**22, 8


@dataclass(frozen=True)
class Limit:
    """How far a stack of Pis goes with one picture.

    Attributes:
        picture: Its name.
        alone_s: Seconds that one core needs for it.
        outcomes: What each number of Pis takes.
        nodes: Most Pis with an efficiency of 90 %; 0 for none, `MOST_NODES` for at least so many.
        cause: What costs most with a few more; what costs most with `MOST_NODES`, if these are good.
    """

    picture: str
    alone_s: float
    outcomes: dict[int, Outcome]
    nodes: int
    cause: Cause

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def predict(plan: Plan, workers: int, kernel_s: float, call_s: float) -> Outcome:
    """Predict what embedded Ray takes for a picture on this machine.

    Args:
        plan: The picture.
        workers: How many cores compute.
        kernel_s: Seconds of the kernel alone for the whole picture on one core, while so many cores compute.
        call_s: What a call costs, as `Crew` measured it.
    """
    work = row_work(plan)
    # Once more, for the first call may have compiled the kernel.
    begin = time.perf_counter()
    row_work(plan)
    start_s = time.perf_counter() - begin
    cluster = Cluster(
        cores=(workers,),
        speed=float(work.sum()) / kernel_s,
        call_s=call_s,
        # A ping is measured with the next one waiting, so this is what either side needs, or less.
        gap_s=call_s,
        start_s=start_s,
        copy_bytes_s=copy_speed(),
        spare_core=workers < (os.cpu_count() or 1),
    )
    return simulate(plan, work, cluster)


def copy_speed() -> float:
    """Measure how many bytes a second this process writes into a temporary file."""
    data = np.ones(COPY_BYTES, dtype=np.uint8)
    seconds = []
    for _ in range(COPIES):
        with tempfile.TemporaryFile() as file:
            begin = time.perf_counter()
            os.pwrite(file.fileno(), data.data, 0)
            seconds.append(time.perf_counter() - begin)
    return COPY_BYTES / min(seconds)


def limits(pictures: Mapping[str, Plan], node: Cluster, nodes: Sequence[int] = NODES) -> list[Limit]:
    """Find out how far stacks of Pis go.

    Args:
        pictures: By name.
        node: What a Pi and the network can do; its cores are not used.
        nodes: Numbers of Pis that are of interest.
    """
    return [_limit(name, plan, node, nodes) for name, plan in pictures.items()]


def _limit(name: str, plan: Plan, node: Cluster, nodes: Sequence[int]) -> Limit:
    work = row_work(plan)
    pixels, total = plan.width * plan.height, float(work.sum())
    # The driver estimates the rows' work itself, by some of the picture's points.
    survey = min(SIDE * SIDE, pixels) / pixels * total
    tried: dict[int, Outcome] = {}

    def outcome(count: int) -> Outcome:
        if count not in tried:
            cores = (HEAD_CORES, *[WORKER_CORES] * (count - 1))
            cluster = replace(node, cores=cores, start_s=survey / node.speed)
            tried[count] = simulate(plan, work, cluster, ERROR)
        return tried[count]

    good, bad = _border(lambda count: outcome(count).efficiency >= GOOD)
    return Limit(
        picture=name,
        alone_s=total / node.speed,
        outcomes={count: outcome(count) for count in nodes},
        nodes=good,
        cause=outcome(bad).limit,
    )


def _border(is_good: Callable[[int], bool]) -> tuple[int, int]:
    """Return the last good and the first bad number of Pis, as far as the search tells them apart."""
    good, bad = 0, 1
    while is_good(bad):
        good, bad = bad, min(2 * bad, MOST_NODES)
        if good == MOST_NODES:
            return good, good
    while bad - good > max(1, FINENESS * good):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if is_good(middle) else (good, middle)
    return good, bad
