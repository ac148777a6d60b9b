"""Decides what the Mandelbrot workload is: one picture, computed by every row in turn and sent home."""

from workloads.driver.nodes import Roster, WorkloadError
from workloads.driver.rows import (
    NOTHING_MEASURED,
    Progress,
    begin,
    check,
    measure,
    rows_to_dict,
    same_picture,
)
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.plan import Plan
from workloads.protocol.events import Emit, Event, picture_events
from workloads.protocol.specs import MandelbrotSpec, SpecError


def run(spec: MandelbrotSpec, roster: Roster, emit: Emit) -> None:
    """Measure and report by events: warm, progress, row, loss, after, picture, result.

    Rows take turns, so that a slow minute hits all of them.

    Raises:
        SpecError: If the plan is none.
        WorkloadError: If the cluster cannot compute it, or two pictures differ.
    """
    try:
        plan = Plan.from_dict(spec.plan)
    except ValueError as error:
        raise SpecError(*(line.rstrip(".") for line in str(error).splitlines())) from None
    unit, rows, crew, start = begin(roster.nodes, spec.workers, emit)
    check(plan, crew)
    progress = Progress(plan.width * plan.height * spec.repeats * len(rows), emit)
    with Canvas(plan) as canvas:
        digest = ""
        for _ in range(spec.repeats):
            for row in rows:
                if row.complete and measure(crew, row, canvas, progress, emit):
                    digest = same_picture(canvas, digest, row)
        progress.finish()
        emit(Event("after", {"nodes": crew.conditions()}))
        if not digest:
            raise WorkloadError(NOTHING_MEASURED)
        for event in picture_events(canvas.packed()):
            emit(event)
    emit(Event("result", {"unit": unit, **rows_to_dict(rows), "image_sha256": digest, **start}))
