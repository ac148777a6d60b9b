"""`piray sweep`: how several problems scale, and what many more nodes would bring."""

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from workloads.cli.closing import print_files, print_notes
from workloads.cli.options import Place, place_options, row_options
from workloads.protocol.machine import machine_facts
from workloads.protocol.specs import SweepSpec
from workloads.results.files import write_json
from workloads.results.records import record
from workloads.results.tables import print_machines
from workloads.runner.follow import watch

# An hour for one picture of a sweep, which has dozens.
MAX_SECONDS = 3600.0


@click.command("sweep")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.01, max=MAX_SECONDS),
    default=2.0,
    show_default=True,
    help="About how long the first row takes for each problem but that of the 2020 article.",
)
@row_options(repeats=5)
@place_options
def command(*, seconds: float, workers: int | None, repeats: int, place: Place) -> None:
    """Measure how several problems scale with 0, 1, 2, … workers, without deploying anything anew."""
    # Not for every command: SciPy takes as long to import as all the rest.
    from workloads.results import sweep_tables  # noqa: PLC0415
    from workloads.scaling.forecast import Costs  # noqa: PLC0415

    folder, target = place.folder(), place.target()
    spec = SweepSpec(seconds=seconds, repeats=repeats, workers=workers)
    report = watch(target.run(spec), "pixels", Console(stderr=True))
    costs = Costs(**report.result["costs"])
    problems = [sweep_tables.to_dict(problem, costs) for problem in report.result["problems"]]
    many = sweep_tables.more_nodes(report.result)
    machine, nodes = machine_facts(), target.node_facts(report)
    console = Console()
    console.print(f"Scaling on {target.name}", style="bold", highlight=False, markup=False)
    console.print()
    sweep_tables.print_sweep(problems, console)
    sweep_tables.print_forecasts(many, costs, console)
    print_machines(console, (machine, *nodes))
    print_notes(console, report.notes)
    body = {
        "target": target.name,
        "problems": problems,
        **_measured(report.result),
        "machine": machine,
        "nodes": list(nodes),
        "more_nodes": [forecast.to_dict() for forecast in many],
    }
    write_json(folder / "sweep.json", record("sweep", body))
    print_files(console, folder / "sweep.json")


def _measured(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the driver measured beside the problems, by its names in the result file."""
    kept = {name: result[name] for name in ("unit", "speeds", "start_s", "costs")}
    return {**kept, "warm_up_s": max(result["cold_s"]), "kernels_compiled": result["compiled"]}
