"""Decides what `piray sweep` measures: several problems, each with 0, 1, … workers, without deploying anew.

Problems are sized by the work that the cluster's first row does in a given time, so that they take about as
long on a Pi as on a desktop; only the 2020 article's own problem is what it is. Strong scaling computes one
picture with every row, weak scaling a picture that grows with the row's cores.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from workloads.driver.crew import costs
from workloads.driver.crew.crew import Crew
from workloads.driver.nodes import Roster, WorkloadError
from workloads.driver.rows import (
    NOTHING_MEASURED,
    MeasuredRow,
    Progress,
    begin,
    check,
    measure,
    rows_to_dict,
    same_picture,
)
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.plan import MAX_GRIDS, MAX_ITERATIONS, MAX_PIXELS, Plan, View
from workloads.protocol.events import Emit, Event
from workloads.protocol.specs import SweepSpec
from workloads.scaling.forecast import ARTICLE_PROBLEM
from workloads.scaling.row_work import kernel_speed, row_work

# The border of the set in a valley of its boundary, 3000 times enlarged: work is very uneven there.
DEEP_VIEW = View(-0.7453, -0.7443, 0.1127, 0.1137)
# Tiles of 32 by 32 of these are as large as a picture may be.
MAX_TILE = math.isqrt(MAX_PIXELS) // 32


@dataclass(frozen=True)
class ScalingProblem:
    """One problem.

    Attributes:
        name: For people.
        kind: "strong" or "weak".
        plan: Of the first row; with weak scaling the others get more rows of pixels.
    """

    name: str
    kind: str
    plan: Plan

    def for_cores(self, cores: int, base_cores: int) -> Plan:
        """Return the plan of a row with so many cores."""
        if self.kind == "strong":
            return self.plan
        return replace(self.plan, y_grids=max(1, min(MAX_GRIDS, self.plan.y_grids * cores // base_cores)))


def problems(seconds: float, speed: float) -> list[ScalingProblem]:
    """Choose the problems.

    Args:
        seconds: How long the first row is to take for each but the 2020 article's.
        speed: Updates a second of the first row, as `row_work` counts them.
    """
    work = seconds * speed
    grid = _sized(lambda side: Plan(grid_width=side, grid_height=side, max_iterations=300), MAX_TILE, work)
    # Few of its points never escape, so more iterations would soon be no more work.
    deep = _sized(
        lambda side: Plan(grid_width=side, grid_height=side, view=DEEP_VIEW, max_iterations=5000),
        MAX_TILE,
        work,
    )
    more = _sized(lambda most: Plan(max_iterations=most), MAX_ITERATIONS, work)
    return [
        ScalingProblem(ARTICLE_PROBLEM, "strong", Plan()),
        ScalingProblem("more pixels", "strong", grid),
        ScalingProblem("more iterations", "strong", more),
        ScalingProblem("deep zoom, uneven", "strong", deep),
        ScalingProblem("more rows with more cores", "weak", more),
    ]


def run(spec: SweepSpec, roster: Roster, emit: Emit) -> None:
    """Measure and report by events: warm, progress, row, loss, problem, after, result.

    Rows take turns, so that a slow minute hits all of them.

    Raises:
        WorkloadError: If the cluster cannot compute it, two pictures of one plan differ, or the workers of
            every problem were lost.
    """
    unit, rows, crew, start = begin(roster.nodes, spec.workers, emit)
    speeds = [slot.speed for slot in crew.slots]
    cost = costs.measure(crew)
    chosen = problems(spec.seconds, sum(speeds[: rows[0].actors]) or kernel_speed())
    plans = [[problem.for_cores(_cores(row), _cores(rows[0])) for row in rows] for problem in chosen]
    progress = Progress(spec.repeats * sum(one.width * one.height for part in plans for one in part), emit)
    measured = [
        _measure(problem, part, rows=rows, crew=crew, repeats=spec.repeats, progress=progress, emit=emit)
        for problem, part in zip(chosen, plans, strict=True)
    ]
    progress.finish()
    emit(Event("after", {"nodes": crew.conditions()}))
    if not any(problem["rows"] for problem in measured):
        raise WorkloadError(NOTHING_MEASURED)
    emit(
        Event(
            "result",
            {"unit": unit, "problems": measured, "speeds": speeds, "costs": cost.to_dict(), **start},
        )
    )


def _measure(
    problem: ScalingProblem,
    plans: list[Plan],
    *,
    rows: list[MeasuredRow],
    crew: Crew,
    repeats: int,
    progress: Progress,
    emit: Emit,
) -> dict[str, Any]:
    """Return what was measured of a problem as JSON types."""
    own = [replace(row, values_s=[], busy_s=[]) for row in rows]
    digests: dict[Plan, str] = {}
    for plan in dict.fromkeys(plans):
        check(plan, crew)
    for _ in range(repeats):
        for row, plan in zip(own, plans, strict=True):
            with Canvas(plan) as canvas:
                if row.complete and measure(crew, row, canvas, progress, emit):
                    digests[plan] = same_picture(canvas, digests.get(plan, ""), row)
    values = {
        "name": problem.name,
        "kind": problem.kind,
        "plan": problem.plan.to_dict(),
        **rows_to_dict(own),
    }
    sizes = {row.workers: (plan, crew.cores(row.actors)) for row, plan in zip(own, plans, strict=True)}
    for row in values["rows"]:
        plan, cores = sizes[row["workers"]]
        row |= {"plan": plan.to_dict(), "cores": cores}
    emit(Event("problem", values))
    return values


def _cores(row: MeasuredRow) -> int:
    return max(1, row.actors)


def _sized(plan_of: Callable[[int], Plan], most: int, work: float) -> Plan:
    """Return the smallest plan that is at least so much work, or the largest one."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if float(row_work(plan_of(middle)).sum()) < work:
            low = middle + 1
        else:
            high = middle
    return plan_of(low)
