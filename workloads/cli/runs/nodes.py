"""`piray run nodes`: how Ray spreads many short tasks over the nodes, and what its work on them costs."""

import math

import click
from rich.console import Console
from rich.table import Table

from workloads.cli.closing import print_files, print_notes
from workloads.cli.options import Place, place_options
from workloads.protocol.machine import machine_facts
from workloads.protocol.specs import NodesSpec
from workloads.results.files import write_json
from workloads.results.records import record
from workloads.results.rendering import empty_table, seconds_text
from workloads.results.tables import print_machines
from workloads.runner.follow import DriverReport, watch

# Ray's head keeps all tasks that wait at the same time.
MAX_TASKS = 100_000
MAX_SECONDS = 60.0


@click.command("nodes")
@click.option(
    "--tasks",
    type=click.IntRange(1, MAX_TASKS),
    default=1000,
    show_default=True,
    help="How many tasks.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, MAX_SECONDS),
    default=0.01,
    show_default=True,
    help="How long each task sleeps.",
)
@place_options
def command(*, tasks: int, seconds: float, place: Place) -> None:
    """Run many short tasks, and count how many of them Ray ran on each node."""
    folder, target = place.folder(), place.target()
    report = watch(target.run(NodesSpec(tasks=tasks, seconds=seconds)), "tasks", Console(stderr=True))
    machine, nodes = machine_facts(), target.node_facts(report)
    cpus, wall_s = report.result["cpus"], report.result["wall_s"]
    ideal_s = ideal_seconds(tasks, seconds, cpus)
    body = {
        "target": target.name,
        "tasks": tasks,
        "seconds": seconds,
        "counts": report.result["counts"],
        "cpus": cpus,
        "wall_s": wall_s,
        "ideal_s": ideal_s,
        "overhead_s": wall_s - ideal_s,
        "machine": machine,
        "nodes": [dict(node) for node in report.nodes],
        "after": list(report.after.values()),
    }
    console = Console()
    console.print(counts_table(target.name, report))
    console.print()
    for line in time_lines(tasks, seconds, cpus, wall_s):
        console.print(line, highlight=False, markup=False)
    print_machines(console, (machine, *nodes))
    print_notes(console, [*report.notes, *growth_notes(report)])
    write_json(folder / "nodes.json", record("nodes", body))
    print_files(console, folder / "nodes.json")


def ideal_seconds(tasks: int, seconds: float, cpus: int) -> float:
    """Return what the tasks would take if Ray itself took nothing: those of the CPU that has the most.

    Args:
        tasks: How many.
        seconds: How long each takes.
        cpus: How many run at the same time.
    """
    return math.ceil(tasks / cpus) * seconds


def counts_table(target: str, report: DriverReport) -> Table:
    """Build the table of the tasks of each node, those that ran none included."""
    title = f"Ray Nodes on {target}"
    table = empty_table(title)
    # The title would be broken where the table is narrower.
    table.min_width = len(title)
    table.add_column("Node", overflow="fold")
    table.add_column("CPUs", justify="right")
    table.add_column("Tasks", justify="right")
    cpus = {node["name"]: str(node["cpus"]) for node in report.nodes}
    for name, count in report.result["counts"]:
        table.add_row(name, cpus.get(name, "-"), str(count))
    return table


def growth_notes(report: DriverReport) -> list[str]:
    """Warn of an ideal time that is not the right one, because nodes came later than it was known for."""
    known = {node["name"] for node in report.nodes}
    if all(name in known for name, _ in report.result["counts"]):
        return []
    return ["Nodes came while the tasks ran. The ideal time is that of the CPUs at the beginning."]


def time_lines(tasks: int, seconds: float, cpus: int, wall_s: float) -> list[str]:
    """Say how long the tasks took, how long they would have without Ray's own work, and what that was.

    Args:
        tasks: How many.
        seconds: How long each slept.
        cpus: How many ran at the same time.
        wall_s: From the first call to the last answer.
    """
    ideal_s = ideal_seconds(tasks, seconds, cpus)
    overhead_s = wall_s - ideal_s
    return [
        f"Execution time  {seconds_text(wall_s)} s",
        f"Ideal time      {seconds_text(ideal_s)} s ({tasks} tasks x {seconds:g} s / {cpus} CPUs)",
        f"Overhead        {seconds_text(overhead_s)} s (to start processes, hand out tasks, collect answers)",
    ]
