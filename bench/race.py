"""Pictures on two cores by Ray, Dask, multiprocessing and processes that know nothing of each other, in turn.

A program of its own, because Ray reads its settings when it is first imported: `python -m bench.race SPEC`
prints one line of JSON.
"""

import itertools
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.distribution import CORES
from bench.timing import in_turn, seconds_of
from workloads.driver import nodes
from workloads.driver.crew import costs
from workloads.driver.crew.crew import Crew
from workloads.driver.programs.sweep import problems
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.draw import compute_band, draw, warm_up
from workloads.mandelbrot.plan import Band, Plan
from workloads.mandelbrot.reference import check_kernel
from workloads.scaling.row_work import kernel_speed, row_work

# The usual advice: enough parts for an even end, few enough to cost nothing.
PARTS_PER_CORE = 16
STRIP_ROWS = 64
TRIAL_S, TRIALS = 0.5, 3


def bands(plan: Plan) -> list[Band]:
    """Cut a picture into equal parts, as one does with a library that hands out tasks."""
    edges = np.linspace(0, plan.height, CORES * PARTS_PER_CORE + 1).astype(int).tolist()
    return [Band(first, end, 0, plan.width) for first, end in itertools.pairwise(edges) if first < end]


def part(task: tuple[Plan, Band]) -> tuple[Band, NDArray[np.uint8]]:
    """Compute a part in a peer's worker."""
    plan, band = task
    return band, compute_band(plan, band)


def alone(task: tuple[Plan, int]) -> float:
    """Compute every second strip and send nothing; return the seconds."""
    plan, index = task
    begin = time.perf_counter()
    for first in range(index * STRIP_ROWS, plan.height, CORES * STRIP_ROWS):
        compute_band(plan, Band(first, min(first + STRIP_ROWS, plan.height), 0, plan.width))
    return time.perf_counter() - begin


class Race:
    """The programs, warm and ready.

    Args:
        stack: Ends them.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.pool = self._pool(stack)
        self.dask = self._dask(stack)
        self.crew = self._ray(stack)
        warm_up()

    @staticmethod
    def _pool(stack: ExitStack) -> Any:
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(CORES))
        pool.map(_warm, range(CORES), chunksize=1)
        return pool

    @staticmethod
    def _dask(stack: ExitStack) -> Any:
        try:
            from distributed import Client, LocalCluster  # noqa: PLC0415  # a peer that may be missing
        except ImportError:
            return None
        local = stack.enter_context(
            LocalCluster(n_workers=CORES, threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
        )
        client = stack.enter_context(Client(local))
        client.run(_warm, 0)
        return client

    @staticmethod
    def _ray(stack: ExitStack) -> Crew:
        # Not where TMPDIR says: the paths of Ray's sockets would be too long.
        folder = TemporaryDirectory(prefix="piray-race-", dir="/tmp")  # noqa: S108 — made private
        stack.enter_context(nodes.session(CORES, stack.enter_context(folder)))
        crew = Crew([nodes.find().nodes[0]] * CORES)
        crew.warm()
        return crew

    def by_ray(self, canvas: Canvas, cores: int) -> float:
        """Return seconds; keep those that the workers computed, as `busy_s`."""
        rendering = self.crew.render(canvas, cores)
        self.crew.settle()
        self.busy_s = rendering.busy_s
        return rendering.wall_s

    def by_pool(self, plan: Plan, image: NDArray[np.uint8]) -> float:
        """Return seconds."""
        begin = time.perf_counter()
        tasks = [(plan, band) for band in bands(plan)]
        for band, indices in self.pool.imap_unordered(part, tasks):
            image[band.first : band.end] = indices
        return time.perf_counter() - begin

    def by_dask(self, plan: Plan, image: NDArray[np.uint8]) -> float:
        """Return seconds."""
        from distributed import as_completed  # noqa: PLC0415  # as above

        begin = time.perf_counter()
        futures = self.dask.map(part, [(plan, band) for band in bands(plan)], pure=False)
        for _, (band, indices) in as_completed(futures, with_results=True):
            image[band.first : band.end] = indices
        return time.perf_counter() - begin

    def by_nobody(self, plan: Plan) -> float:
        """Return the mean seconds of processes that know nothing of each other."""
        seconds: list[float] = self.pool.map(alone, [(plan, index) for index in range(CORES)], chunksize=1)
        return sum(seconds) / len(seconds)


def run(rounds: dict[str, int], sides: list[int]) -> dict[str, Any]:
    """Let them compute pictures of some seconds, in turn.

    Args:
        rounds: How many, by seconds of one core's work.
        sides: Pixels a side of pictures after which the driver is weighed.

    Raises:
        AssertionError: If two of them draw different pictures.
    """
    with ExitStack() as stack:
        race = Race(stack)
        memory = [_driver_mib(race, side) for side in sides]
        speed = _speed()
        found = [_picture(race, float(seconds), speed, count) for seconds, count in rounds.items()]
        return {
            "pictures": found,
            "costs": costs.measure(race.crew).to_dict(),
            "memory_mib": memory,
        }


def _picture(race: Race, seconds: float, speed: float, rounds: int) -> dict[str, Any]:
    plan = problems(seconds, speed)[2].plan
    check_kernel(plan)
    race.crew.check(plan)
    with Canvas(plan) as canvas:
        draw(canvas)
        times = in_turn(_programs(race, canvas, canvas.rows(0, plan.height)), rounds)
    return {"seconds": seconds, "plan": plan.to_dict(), "times": times}


def _programs(race: Race, canvas: Canvas, expected: NDArray[np.uint8]) -> dict[str, Callable[[int], float]]:
    """Return what draws the canvas's picture and tells the seconds; all but the first two are looked at."""
    image = np.zeros_like(expected)

    def ray(name: str, cores: int) -> float:
        canvas.clear()
        wall_s = race.by_ray(canvas, cores)
        refuse_different(canvas.rows(0, canvas.plan.height), expected, name)
        return wall_s

    def peer(name: str, draw_by: Callable[[Plan, NDArray[np.uint8]], float]) -> float:
        image.fill(0)
        wall_s = draw_by(canvas.plan, image)
        refuse_different(image, expected, name)
        return wall_s

    programs: dict[str, Callable[[int], float]] = {
        "one core": lambda _: seconds_of(partial(draw, canvas)),
        "independent": lambda _: race.by_nobody(canvas.plan),
        "Ray, one core": lambda _: ray("Ray, one core", 1),
        "Ray": lambda _: ray("Ray", CORES),
        # No program, but what the last one told beside its wall time.
        "busy": lambda _: race.busy_s,
        "multiprocessing": lambda _: peer("multiprocessing", race.by_pool),
    }
    return programs | ({"Dask": lambda _: peer("Dask", race.by_dask)} if race.dask else {})


def _driver_mib(race: Race, side: int) -> float:
    """Return the most memory of its own that this process has during a square picture.

    Ray's shared memory is not in it, which has a limit of its own.
    """
    tiles, found = side // 64, [0.0]
    plan = Plan(x_grids=tiles, y_grids=tiles, grid_width=64, grid_height=64)
    with Canvas(plan) as canvas:
        # As on a cluster: what other nodes compute comes in by messages.
        for slot in race.crew.slots:
            slot.shared = False
        race.crew.render(canvas, CORES, lambda _: found.append(_own_mib()))
        race.crew.settle()
        for slot in race.crew.slots:
            slot.shared = True
    return max(found)


def _own_mib() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(line.split()[1]) / 1024


def _speed() -> float:
    """Return the work that one core does in a second, as `row_work` counts it, on such pictures."""
    plan = problems(TRIAL_S, kernel_speed())[2].plan
    with Canvas(plan) as canvas:
        seconds = [seconds_of(partial(draw, canvas)) for _ in range(TRIALS)]
    return float(row_work(plan).sum()) / min(seconds)


def _warm(_: int) -> float:
    return warm_up()


def refuse_different(found: NDArray[np.uint8], expected: NDArray[np.uint8], name: str) -> None:
    """Refuse a picture by somebody that is not what it should be."""
    if not np.array_equal(found, expected):
        raise AssertionError(f"the picture by {name} differs from that of one core.")


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))
