"""`piray run mandelbrot`: the picture, and how long each number of workers takes for it."""

from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from workloads.cli.closing import print_files, print_notes
from workloads.cli.options import Place, place_options, row_options
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.plan import Plan
from workloads.protocol.machine import machine_facts
from workloads.protocol.specs import MandelbrotSpec
from workloads.results.files import write_json
from workloads.results.png import write_png
from workloads.results.records import Result, Row
from workloads.results.tables import print_result
from workloads.runner.follow import DriverReport, RunError, watch

# Options that the 2020 article's variables set as well, and what they are.
GRID = {
    "x_grids": "Tiles from left to right",
    "y_grids": "Tiles from top to bottom",
    "grid_width": "Width of a tile in pixels",
    "grid_height": "Height of a tile in pixels",
}


def grid_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the grid; each may be set by an environment variable, too."""
    for name, what in reversed(GRID.items()):
        command = click.option(
            f"--{name.replace('_', '-')}",
            envvar=name.upper(),
            default=getattr(Plan, name),
            show_default=True,
            help=f"{what} [{name.upper()}].",
        )(command)
    return command


@click.command("mandelbrot")
@grid_options
@click.option(
    "--max-iterations",
    default=Plan.max_iterations,
    show_default=True,
    help="Iterations of a pixel that never escapes.",
)
@click.option(
    "--threshold",
    default=Plan.threshold,
    show_default=True,
    help="A pixel has escaped once |z| is above this.",
)
@click.option(
    "--preview",
    is_flag=True,
    help="Compute with half the digits: this is faster, but wrong near the border of the set.",
)
@row_options(repeats=3)
@place_options
def command(*, workers: int | None, repeats: int, place: Place, **problem: Any) -> None:
    """Draw the Mandelbrot set with 0, 1, 2, … workers: a picture, a result file, a table."""
    try:
        plan = Plan(**problem)
    except ValueError as error:
        raise RunError(str(error)) from None
    folder, target = place.folder(), place.target()
    spec = MandelbrotSpec(plan=plan.to_dict(), repeats=repeats, workers=workers)
    report = watch(target.run(spec), "pixels", Console(stderr=True))
    result = _result(target.name, plan, report, target.node_facts(report))
    console = Console()
    print_result(result, console)
    print_notes(console, report.notes, report.result["dropped"])
    with Canvas.unpack(report.picture.open(), plan) as canvas:
        write_png(folder / "mandelbrot.png", canvas)
    write_json(folder / "mandelbrot.json", result)
    print_files(console, folder / "mandelbrot.png", folder / "mandelbrot.json")


def _result(target: str, plan: Plan, report: DriverReport, nodes: tuple[dict[str, Any], ...]) -> Result:
    values = report.result
    return Result(
        target=target,
        plan=plan.to_dict(),
        rows=tuple(
            Row(
                workers=row["workers"],
                nodes=len(row["nodes"]),
                values_s=tuple(row["values_s"]),
                cores=max(1, row["actors"]),
                busy_s=tuple(row["busy_s"]),
            )
            for row in values["rows"]
        ),
        machine=machine_facts(),
        nodes=nodes,
        unit=values["unit"],
        warm_up_s=max(values["cold_s"]),
        kernels_compiled=values["compiled"],
        start_s=values["start_s"],
        call_s=values["call_s"],
        image_sha256=values["image_sha256"],
    )
