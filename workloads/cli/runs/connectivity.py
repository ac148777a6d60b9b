"""`piray run connectivity`: which node's tasks reached which other node, and how often."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from workloads.cli.closing import print_files, print_notes
from workloads.cli.options import Place, place_options
from workloads.protocol.machine import machine_facts
from workloads.protocol.specs import ConnectivitySpec
from workloads.results.files import write_json
from workloads.results.records import record
from workloads.results.tables import print_machines
from workloads.runner.follow import DriverReport, watch

# All tasks of a round wait in Ray at the same time and have to end within five minutes.
MAX_TASKS = 10_000
MAX_ROUNDS = 1_000


@click.command("connectivity")
@click.option(
    "--rounds",
    type=click.IntRange(1, MAX_ROUNDS),
    default=10,
    show_default=True,
    help="How often the tasks are run.",
)
@click.option(
    "--tasks",
    type=click.IntRange(1, MAX_TASKS),
    default=100,
    show_default=True,
    help="Pairs of tasks in each round.",
)
@place_options
def command(*, rounds: int, tasks: int, place: Place) -> None:
    """Check that tasks run on every node and pass their results between all of them."""
    folder, target = place.folder(), place.target()
    spec = ConnectivitySpec(rounds=rounds, tasks=tasks)
    report = watch(target.run(spec), "rounds", Console(stderr=True))
    machine, nodes = machine_facts(), target.node_facts(report)
    body = {
        "target": target.name,
        "rounds": [{"counts": one["counts"], "wall_s": one["wall_s"]} for one in report.rounds],
        "tasks": tasks,
        "counts": report.result["counts"],
        "machine": machine,
        "nodes": [dict(node) for node in report.nodes],
        "after": list(report.after.values()),
    }
    console = Console()
    console.print(pairs_table(target.name, report))
    print_machines(console, (machine, *nodes))
    print_notes(console, report.notes)
    write_json(folder / "connectivity.json", record("connectivity", body))
    print_files(console, folder / "connectivity.json")
    console.print("Success!")


def pairs_table(target: str, report: DriverReport) -> Table:
    """Build the table of all pairs of nodes, those that never met included."""
    table = Table(title=f"Connectivity on {target}", title_justify="left")
    table.add_column("First task on", overflow="fold")
    table.add_column("Second task on", overflow="fold")
    table.add_column("Count", justify="right")
    table.add_column("In each round", justify="right")
    totals = _by_pair(report.result["counts"])
    rounds = [_by_pair(one["counts"]) for one in report.rounds]
    names = [node["name"] for node in report.nodes]
    for pair in sorted({*totals, *((first, second) for first in names for second in names)}):
        counts = [one.get(pair, 0) for one in rounds]
        table.add_row(*pair, str(totals.get(pair, 0)), f"{min(counts)}-{max(counts)}")
    return table


def _by_pair(counts: Sequence[Sequence[Any]]) -> Mapping[tuple[str, str], int]:
    return {(first, second): count for first, second, count in counts}
