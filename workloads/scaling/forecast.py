"""Decides what the simulation is asked: what was measured, to check it, and Pis that nobody has here.

A stack of N Pis is one whose head gives a core to the work and N - 1 that give three each, as by default.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from typing import Any

from workloads.mandelbrot.plan import Plan
from workloads.scaling.row_work import SIDE, row_work
from workloads.scaling.simulated_cluster import SimulatedCluster
from workloads.scaling.simulation import Cause, SimulatedRun, simulate

# The first problem of a sweep, whose figures stand beside those of 2020.
ARTICLE_PROBLEM = "the 2020 article's"
HEAD_CORES, WORKER_CORES = 1, 3
NODES = (4, 16, 64, 1000)
GOOD = 0.9
# The search goes no further, and no finer than this share of the nodes.
MOST_NODES = 1000
FINENESS = 0.05
# The estimates' own error, by counts of the updates: a strip of the 2020 article's picture scatters by 0.01,
# one of a deep picture by 0.06, one of a picture with 1000 iterations by 0.15.
ERROR = 0.15
# The rows of a problem share a picture. Kept only here: the driver estimates anew within what it measures.
_row_work = lru_cache(maxsize=16)(row_work)


@dataclass(frozen=True)
class Costs:
    """What it costs to use a cluster, as `costs` measures it.

    Attributes:
        call_s: Seconds of the driver for each call, and about as many of a worker.
        copy_bytes_s: Bytes a second that the driver puts into a file.
        driver_cores: Cores that the driver's node or container has, whoever uses them.
        latency_s: Seconds from the driver to another node; None if no actor is on one.
        link_bytes_s: Bytes a second from there into the driver's memory; None if no actor is on one.
    """

    call_s: float
    copy_bytes_s: float
    driver_cores: int
    latency_s: float | None = None
    link_bytes_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Forecast:
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
    outcomes: dict[int, SimulatedRun]
    nodes: int
    cause: Cause

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def predict(plan: Plan, cores: Sequence[int], busy_s: float, costs: Costs) -> SimulatedRun:
    """Predict what a cluster takes for a picture.

    Args:
        plan: The picture.
        cores: Workers on each node, the driver's first.
        busy_s: Seconds that one core would compute for the whole picture, while so many do.
        costs: What was measured of the cluster.
    """
    work = _row_work(plan)
    speed = float(work.sum()) / busy_s
    cluster = SimulatedCluster(
        cores=tuple(cores),
        speed=speed,
        call_s=costs.call_s,
        # A ping is measured with the next one waiting, so this is what either side needs, or less.
        gap_s=costs.call_s,
        start_s=_survey(plan, float(work.sum())) / speed,
        latency_s=costs.latency_s or 0.0,
        link_bytes_s=costs.link_bytes_s or math.inf,
        copy_bytes_s=costs.copy_bytes_s,
        spare_core=cores[0] < costs.driver_cores,
    )
    return simulate(plan, work, cluster)


def forecasts(
    pictures: Mapping[str, Plan], node: SimulatedCluster, nodes: Sequence[int] = NODES
) -> list[Forecast]:
    """Find out how far stacks of Pis go.

    Args:
        pictures: By name.
        node: What a Pi and the network can do; its cores are not used.
        nodes: Numbers of Pis that are of interest.
    """
    return [_forecast(name, plan, node, nodes) for name, plan in pictures.items()]


def _forecast(name: str, plan: Plan, node: SimulatedCluster, nodes: Sequence[int]) -> Forecast:
    work = _row_work(plan)
    total = float(work.sum())
    survey = _survey(plan, total)

    @cache
    def run(count: int) -> SimulatedRun:
        cores = (HEAD_CORES, *[WORKER_CORES] * (count - 1))
        return simulate(plan, work, replace(node, cores=cores, start_s=survey / node.speed), ERROR)

    good, bad = _border(lambda count: run(count).efficiency >= GOOD)
    return Forecast(
        picture=name,
        alone_s=total / node.speed,
        outcomes={count: run(count) for count in nodes},
        nodes=good,
        cause=run(bad).main_cause,
    )


def _survey(plan: Plan, total: float) -> float:
    """Return the driver's own work: it estimates the rows' by some of the picture's points."""
    pixels = plan.width * plan.height
    return min(SIDE * SIDE, pixels) / pixels * total


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
