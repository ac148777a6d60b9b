"""The `piray` command: reads options, runs a workload on its target, writes the files, prints the tables."""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.plan import Plan
from workloads.pi.kernel import count_inside, warm_up
from workloads.pi.philox import MAX_SAMPLES
from workloads.pi.reference import count_inside_python
from workloads.protocol import machine
from workloads.protocol.events import EventError
from workloads.results import tables
from workloads.results.files import FileError
from workloads.results.png import write_png
from workloads.runner import pi_job, stack_outputs
from workloads.runner.embedded import EmbeddedError
from workloads.runner.follow import Outcome, RunError, watch
from workloads.runner.jobs_api.dashboard import ClusterError
from workloads.runner.kubernetes_api import KubernetesError
from workloads.runner.signals import SIGNALS, interruptible
from workloads.runner.stack_outputs import StackError, StackOutputs
from workloads.runner.target import Cluster, Embedded, Target

EXIT_INTERRUPTED = 128 + SIGNALS[0]
# Pure Python takes some 0.2 µs for a sample: its time for all of them follows from these.
PYTHON_SAMPLES = 500_000
# A stream is a task, a line of the table and a part of the result file; Ray's head keeps all of them at once.
MAX_COMPLETIONS = 100_000
# The largest whole number that every JSON reader keeps exactly; Pulumi's numbers are floats too.
MAX_SEED = 2**53 - 1
# All tasks of a round wait in Ray at the same time and have to end within five minutes.
MAX_TASKS = 10_000
MAX_ROUNDS = 1_000
# An hour for one picture of a sweep, which has dozens.
MAX_SECONDS = 3600.0
FORESEEN = (
    StackError,
    ClusterError,
    KubernetesError,
    EmbeddedError,
    pi_job.PiJobError,
    RunError,
    EventError,
    FileError,
    tables.ReportError,
)

Command = TypeVar("Command", bound=Callable[..., Any])


class _Group(click.Group):
    """Turns what can be foreseen into a message and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            with interruptible():
                return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("piray: stopped.", err=True)
            context.exit(EXIT_INTERRUPTED)
        except FORESEEN as error:
            for line in getattr(error, "log", ()):
                click.echo(f"  | {line}", err=True)
            click.echo(f"piray: {error}", err=True)
            context.exit(1)


@click.group(cls=_Group)
@click.version_option(package_name="piray")
def main() -> None:
    """Show what a cluster of Raspberry Pis running Ray can do."""


@main.group()
def run() -> None:
    """Run a workload: on a stack's cluster, or without a stack on this machine."""


def _target_options(command: Command) -> Command:
    options = (
        click.option("--stack", "stack_name", metavar="NAME", help="Run on the cluster of this stack."),
        click.option(
            "--outputs",
            "outputs_file",
            type=click.File("r"),
            help="Run on the cluster of these outputs: JSON as `pulumi stack output --json --show-secrets` "
            "prints it; - for standard input.",
        ),
        click.option(
            "--output",
            "folder",
            metavar="DIR",
            default=".",
            show_default=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="Where the result files go.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _row_options(repeats: int) -> Callable[[Command], Command]:
    workers = click.option(
        "--workers",
        metavar="MAX",
        type=click.IntRange(min=0),
        help="Last row: so many workers.  [default: all there are]",
    )
    times = click.option(
        "--repeats",
        type=click.IntRange(min=1),
        default=repeats,
        show_default=True,
        help="Times each row is computed.",
    )
    return lambda command: workers(times(command))


@run.command()
@click.option("--x-grids", envvar="X_GRIDS", default=32, show_default=True, help="Tiles along x [X_GRIDS].")
@click.option("--y-grids", envvar="Y_GRIDS", default=32, show_default=True, help="Tiles along y [Y_GRIDS].")
@click.option(
    "--grid-width",
    envvar="GRID_WIDTH",
    default=100,
    show_default=True,
    help="Columns of a tile [GRID_WIDTH].",
)
@click.option(
    "--grid-height",
    envvar="GRID_HEIGHT",
    default=100,
    show_default=True,
    help="Rows of a tile [GRID_HEIGHT].",
)
@click.option(
    "--max-iterations", default=32, show_default=True, help="Updates of a pixel that never escapes."
)
@click.option(
    "--threshold", default=200.0, show_default=True, help="A pixel has escaped once |z| is above this."
)
@click.option(
    "--preview", is_flag=True, help="Compute with half the digits: faster, wrong near the border of the set."
)
@_row_options(repeats=3)
@_target_options
def mandelbrot(
    *,
    x_grids: int,
    y_grids: int,
    grid_width: int,
    grid_height: int,
    max_iterations: int,
    threshold: float,
    preview: bool,
    workers: int | None,
    repeats: int,
    stack_name: str | None,
    outputs_file: Any,
    folder: Path,
) -> None:
    """Draw the Mandelbrot set with 0, 1, 2, … workers: a picture, a result file, a table."""
    plan = _plan(
        x_grids=x_grids,
        y_grids=y_grids,
        grid_width=grid_width,
        grid_height=grid_height,
        max_iterations=max_iterations,
        threshold=threshold,
        preview=preview,
    )
    folder = _writable(folder)
    target = _target(stack_name, outputs_file)
    spec = {"plan": plan.to_dict(), "repeats": repeats, "workers": workers}
    outcome = watch(target.run("mandelbrot", spec), "pixels", _errors())
    values = outcome.result
    result = tables.Result(
        target=target.name,
        plan=plan.to_dict(),
        rows=tuple(
            tables.Row(
                workers=row["workers"],
                nodes=len(row["nodes"]),
                values_s=tuple(row["values_s"]),
                cores=max(1, row["actors"]),
                busy_s=tuple(row["busy_s"]),
            )
            for row in values["rows"]
        ),
        machine=machine.machine_facts(),
        nodes=_facts(target, outcome),
        unit=values["unit"],
        warm_up_s=max(values["cold_s"]),
        kernels_compiled=values["compiled"],
        start_s=values["start_s"],
        call_s=values["call_s"],
        image_sha256=values["image_sha256"],
    )
    console = Console()
    tables.print_result(result, console)
    _print_notes(outcome, console, dropped=values["dropped"])
    with Canvas.unpack(outcome.picture.open(), plan) as canvas:
        write_png(folder / "mandelbrot.png", canvas)
    tables.write_json(folder / "mandelbrot.json", result)
    _print_files(console, folder / "mandelbrot.png", folder / "mandelbrot.json")


@run.command()
@click.option(
    "--completions", type=click.IntRange(1, MAX_COMPLETIONS), help="Streams, one task each.  [default: 3]"
)
@click.option(
    "--samples",
    type=click.IntRange(1, MAX_SAMPLES),
    help="Samples of each stream.  [default: 10000000, as in the write-up]",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Seed of all streams.  [default: 0]")
@_target_options
def pi(
    *,
    completions: int | None,
    samples: int | None,
    seed: int | None,
    stack_name: str | None,
    outputs_file: Any,
    folder: Path,
) -> None:
    """Estimate π: read the stack's π Job, or compute the same on Ray where there is none."""
    folder = _writable(folder)
    target = _target(stack_name, outputs_file)
    outputs = target.outputs if isinstance(target, Cluster) else None
    job = outputs.pi_job if outputs is not None else None
    own_values = [value for value in (completions, samples, seed) if value is not None]
    if outputs is not None and job is not None and outputs.kubeconfig and outputs.namespace:
        if own_values:
            raise RunError(
                f"the π Job of {target.name} fixes completions, samples and seed: change piJob in the "
                "stack's config and `make up`, or leave the options out."
            )
        done = pi_job.read(outputs.kubeconfig, outputs.namespace, job)
        parts, wall_s, root, at_once = done.parts, done.wall_s, job.seed, job.parallelism
        outcome = Outcome()
    else:
        defaults = (job.completions, job.samples, job.seed) if job is not None else (3, 10_000_000, 0)
        chosen = tuple(
            default if value is None else value
            for value, default in zip((completions, samples, seed), defaults, strict=True)
        )
        spec = {"completions": chosen[0], "samples": chosen[1], "seed": chosen[2]}
        outcome = watch(target.run("pi", spec), "streams", _errors())
        parts = tuple(tables.PiPart(**part) for part in outcome.result["parts"])
        wall_s, root = outcome.result["wall_s"], chosen[2]
        at_once = sum(node["cpus"] for node in outcome.nodes)
    result = tables.PiResult(
        target=target.name,
        seed=root,
        parts=parts,
        wall_s=wall_s,
        single_core_s=_count_again(parts, root),
        python_s=_python_seconds(sum(part.samples for part in parts), root),
        at_once=at_once,
        machine=machine.machine_facts(),
        nodes=_facts(target, outcome),
    )
    console = Console()
    tables.print_result(result, console)
    _print_notes(outcome, console)
    tables.write_json(folder / "pi.json", result)
    _print_files(console, folder / "pi.json")


@run.command()
@click.option(
    "--rounds", type=click.IntRange(1, MAX_ROUNDS), default=10, show_default=True, help="How often."
)
@click.option(
    "--tasks",
    type=click.IntRange(1, MAX_TASKS),
    default=100,
    show_default=True,
    help="Pairs of tasks in a round.",
)
@_target_options
def connectivity(rounds: int, tasks: int, stack_name: str | None, outputs_file: Any, folder: Path) -> None:
    """Check that tasks run on every node and pass their results between all of them."""
    folder = _writable(folder)
    target = _target(stack_name, outputs_file)
    outcome = watch(target.run("connectivity", {"rounds": rounds, "tasks": tasks}), "rounds", _errors())
    body = {
        "target": target.name,
        "rounds": [{"counts": one["counts"], "wall_s": one["wall_s"]} for one in outcome.rounds],
        "tasks": tasks,
        "counts": outcome.result["counts"],
        "machine": machine.machine_facts(),
        "nodes": [dict(node) for node in outcome.nodes],
    }
    console = Console()
    console.print(_pairs_table(target, outcome))
    _print_notes(outcome, console)
    tables.write_json(folder / "connectivity.json", tables.record("connectivity", body))
    _print_files(console, folder / "connectivity.json")
    console.print("Success!")


@main.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.01, max=MAX_SECONDS),
    default=2.0,
    show_default=True,
    help="About how long the first row takes for each problem but the write-up's.",
)
@_row_options(repeats=5)
@_target_options
def sweep(
    *,
    seconds: float,
    workers: int | None,
    repeats: int,
    stack_name: str | None,
    outputs_file: Any,
    folder: Path,
) -> None:
    """Measure how several problems scale with 0, 1, 2, … workers, without deploying anything anew."""
    # Not for every command: SciPy takes as long to import as all the rest.
    from workloads.results import sweep_tables  # noqa: PLC0415
    from workloads.scaling.forecast import Costs  # noqa: PLC0415

    folder = _writable(folder)
    target = _target(stack_name, outputs_file)
    spec = {"seconds": seconds, "repeats": repeats, "workers": workers}
    outcome = watch(target.run("sweep", spec), "pixels", _errors())
    found = outcome.result
    costs = Costs(**found["costs"])
    problems = [sweep_tables.to_dict(problem, costs) for problem in found["problems"]]
    body = {
        "target": target.name,
        "unit": found["unit"],
        "problems": problems,
        "speeds": found["speeds"],
        "warm_up_s": max(found["cold_s"]),
        "kernels_compiled": found["compiled"],
        "start_s": found["start_s"],
        "costs": found["costs"],
        "machine": machine.machine_facts(),
        "nodes": list(_facts(target, outcome)),
    }
    console = Console()
    console.print(f"Scaling on {target.name}", style="bold", highlight=False, markup=False)
    console.print()
    sweep_tables.print_sweep(problems, console)
    many = sweep_tables.more_nodes(found)
    sweep_tables.print_forecasts(many, costs, console)
    _print_notes(outcome, console)
    body["more_nodes"] = [forecast.to_dict() for forecast in many]
    tables.write_json(folder / "sweep.json", tables.record("sweep", body))
    _print_files(console, folder / "sweep.json")


def _plan(**values: Any) -> Plan:
    try:
        return Plan(**values)
    except ValueError as error:
        raise RunError(str(error)) from None


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"--output {folder} cannot be made ({error.strerror}): choose another folder."
        ) from None
    try:
        # Made and removed: permission bits alone say nothing of /proc or a read-only disk.
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise RunError(
            f"--output {folder} cannot be written to ({error.strerror}): choose another folder."
        ) from None


def _target(stack_name: str | None, outputs_file: Any) -> Target:
    if stack_name is not None and outputs_file is not None:
        raise StackError("give --stack or --outputs, not both.")
    if outputs_file is not None:
        return _cluster(outputs_file.name, stack_outputs.read_file(outputs_file.name, outputs_file.read()))
    if stack_name is not None:
        return _cluster(stack_name, stack_outputs.read(stack_name))
    return Embedded()


def _cluster(name: str, outputs: StackOutputs) -> Cluster:
    return Cluster(name, outputs, lambda line: click.echo(f"piray: {line}", err=True))


def _errors() -> Console:
    return Console(stderr=True)


def _facts(target: Target, outcome: Outcome) -> tuple[Mapping[str, Any], ...]:
    """Return the facts of nodes that are other machines than this one."""
    if isinstance(target, Embedded):
        return ()
    return tuple({"name": node["name"], **node["machine"]} for node in outcome.nodes)


def _count_again(parts: tuple[tables.PiPart, ...], seed: int) -> float:
    """Count the same samples on one core of this machine; return the seconds.

    Raises:
        RunError: If a count differs: the samples of a stream are the same everywhere.
    """
    warm_up()
    begin = time.perf_counter()
    counts = {part.index: count_inside(part.samples, seed, part.index) for part in parts}
    seconds = time.perf_counter() - begin
    for part in parts:
        if counts[part.index] != part.num_inside:
            raise RunError(
                f"index {part.index} counted {part.num_inside} on {part.node} and {counts[part.index]} here, "
                "from the same samples: NumPy differs, or a computer is broken."
            )
    return seconds


def _python_seconds(samples: int, seed: int) -> float:
    drawn = min(samples, PYTHON_SAMPLES)
    begin = time.perf_counter()
    count_inside_python(drawn, seed, 0)
    return (time.perf_counter() - begin) * samples / drawn


def _pairs_table(target: Target, outcome: Outcome) -> Table:
    table = Table(title=f"Connectivity on {target.name}", title_justify="left")
    table.add_column("First task on", overflow="fold")
    table.add_column("Second task on", overflow="fold")
    table.add_column("Count", justify="right")
    table.add_column("In each round", justify="right")
    counts = {(first, second): count for first, second, count in outcome.result["counts"]}
    names = [node["name"] for node in outcome.nodes]
    for pair in sorted({*counts, *((first, second) for first in names for second in names)}):
        per_round = [
            next((count for *names, count in one["counts"] if tuple(names) == pair), 0)
            for one in outcome.rounds
        ]
        table.add_row(*pair, str(counts.get(pair, 0)), f"{min(per_round)}-{max(per_round)}")
    return table


def _print_notes(outcome: Outcome, console: Console, dropped: list[int] | None = None) -> None:
    notes = list(outcome.notes)
    if dropped:
        rows = ", ".join(map(str, dropped))
        notes.append(f"Row {rows} lost a worker for good: its times are those from before, if there are any.")
    for note in notes:
        console.print(f"Warning: {note}", highlight=False, markup=False)


def _print_files(console: Console, *paths: Path) -> None:
    console.print(f"Wrote {', '.join(map(str, paths))}.", highlight=False, markup=False)
