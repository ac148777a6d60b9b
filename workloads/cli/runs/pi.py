"""`piray run pi`: the estimate of the stack's π Job, or the same computed by Ray, checked on this machine."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from workloads.cli.closing import print_files, print_notes
from workloads.cli.options import Place, place_options
from workloads.pi.kernel import count_inside, warm_up
from workloads.pi.philox import MAX_SAMPLES
from workloads.pi.reference import count_inside_python
from workloads.protocol.machine import machine_facts
from workloads.protocol.specs import PiSpec
from workloads.results.files import write_json
from workloads.results.pi_records import PiPart, PiResult
from workloads.results.tables import print_result
from workloads.runner.follow import RunError, watch
from workloads.runner.stack_outputs import PiJobOutputs, StackOutputs

if TYPE_CHECKING:
    from workloads.runner.target import Target

# Pure Python takes some 0.2 µs for a sample: its time for all of them follows from these.
PYTHON_SAMPLES = 500_000
# A stream is a task, a line of the table and a part of the result file; Ray's head keeps all of them at once.
MAX_COMPLETIONS = 100_000
# The largest whole number that every JSON reader keeps exactly; Pulumi's numbers are floats too.
MAX_SEED = 2**53 - 1
DEFAULTS = {"completions": 3, "samples": 10_000_000, "seed": 0}


@dataclass(frozen=True)
class _Counted:
    """What was counted, by whomever.

    Attributes:
        parts: One for each stream.
        wall_s: Seconds from the first start to the last end.
        seed: Seed of all streams.
        at_once: How many parts could be counted at the same time.
        nodes: Facts of the nodes that counted, where they are other machines.
        notes: What the user should know besides the result.
    """

    parts: tuple[PiPart, ...]
    wall_s: float
    seed: int
    at_once: int
    nodes: tuple[dict[str, Any], ...]
    notes: list[str]


@click.command("pi")
@click.option(
    "--completions",
    type=click.IntRange(1, MAX_COMPLETIONS),
    help="Number of random streams, one task each.  [default: 3]",
)
@click.option(
    "--samples",
    type=click.IntRange(1, MAX_SAMPLES),
    help="Samples of each stream.  [default: 10000000]",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Seed of all streams.  [default: 0]")
@place_options
def command(*, place: Place, **options: int | None) -> None:
    """Estimate π: read the stack's π Job, or compute the same on Ray where there is none."""
    folder, target = place.folder(), place.target()
    given = {name: value for name, value in options.items() if value is not None}
    outputs = target.outputs
    job = outputs.pi_job if outputs is not None else None
    if outputs and job and outputs.kubeconfig and outputs.namespace:
        if given:
            raise RunError(
                f"the π Job of {target.name} fixes completions, samples and seed: change piJob in the "
                "stack's config and `make up`, or leave the options out."
            )
        counted = _by_job(outputs, job)
    else:
        counted = _by_ray(target, PiSpec(**{**_defaults(job), **given}))
    result = _result(target.name, counted)
    console = Console()
    print_result(result, console)
    print_notes(console, counted.notes)
    write_json(folder / "pi.json", result)
    print_files(console, folder / "pi.json")


def _defaults(job: PiJobOutputs | None) -> dict[str, int]:
    return {name: getattr(job, name) for name in DEFAULTS} if job is not None else DEFAULTS


def _by_job(outputs: StackOutputs, job: PiJobOutputs) -> _Counted:
    # The client of Kubernetes takes long to import, and only this needs it.
    from workloads.runner import pi_job  # noqa: PLC0415

    assert outputs.kubeconfig is not None
    assert outputs.namespace is not None
    done = pi_job.read(outputs.kubeconfig, outputs.namespace, job)
    hosts = sorted({part.node for part in done.parts})
    # The pods are gone, and have looked at nothing but their samples.
    nodes = tuple({"name": host, "host": host, **outputs.hosts.get(host, {})} for host in hosts)
    return _Counted(done.parts, done.wall_s, job.seed, job.parallelism, nodes, [])


def _by_ray(target: "Target", spec: PiSpec) -> _Counted:
    report = watch(target.run(spec), "streams", Console(stderr=True))
    parts = tuple(PiPart(**part) for part in report.result["parts"])
    cpus = sum(node["cpus"] for node in report.nodes)
    nodes = target.node_facts(report)
    return _Counted(parts, report.result["wall_s"], spec.seed, cpus, nodes, report.notes)


def _result(target: str, counted: _Counted) -> PiResult:
    return PiResult(
        target=target,
        seed=counted.seed,
        parts=counted.parts,
        wall_s=counted.wall_s,
        single_core_s=_count_again(counted.parts, counted.seed),
        python_s=_python_seconds(sum(part.samples for part in counted.parts), counted.seed),
        at_once=counted.at_once,
        machine=machine_facts(),
        nodes=counted.nodes,
    )


def _count_again(parts: tuple[PiPart, ...], seed: int) -> float:
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
