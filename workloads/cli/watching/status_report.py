"""Decides how the status of a cluster is shown: what is wrong comes last, where the reader looks first."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workloads.cli.watching.listing_tables import size_text
from workloads.results.rendering import empty_table
from workloads.runner.cluster_state.problem import Problem
from workloads.runner.cluster_state.ray.demands import Demand
from workloads.runner.cluster_state.ray.nodes import RayNode
from workloads.runner.cluster_state.ray.status import RayStatus
from workloads.runner.cluster_state.status import ClusterStatus, PodRow

_JOBS, _COMMAND_CHARACTERS = 8, 60


def print_status(status: ClusterStatus, console: Console) -> None:
    """Print the status; fits 100 columns, colour only on a terminal."""
    for part in _parts(status):
        console.print(part, highlight=False, markup=not isinstance(part, str))
    for problem in sorted(status.problems, key=lambda one: one.over):
        for line in problem_lines(problem):
            console.print(line, highlight=False, markup=False)
    for line in status.missing:
        console.print(f"Not known: {line}", highlight=False, markup=False)
    if status.is_well:
        console.print("Nothing is wrong.", highlight=False)


def problem_lines(problem: Problem) -> list[str]:
    """Return what is, or was, wrong, and what to do."""
    when = f" ({problem.at})" if problem.at else ""
    return [
        f"{'Earlier' if problem.over else 'Wrong'}: {problem.subject} {problem.what}{when}",
        f"  → {problem.remedy}",
    ]


def nodes_table(target: str, nodes: Sequence[RayNode]) -> Table:
    """Build the table of the nodes of Ray that are alive, with their sums."""
    table = empty_table(f"Ray on {target}")
    alive = [one for one in nodes if one.alive]
    groups = any(one.group for one in alive)
    for heading in ("Node", "Role", *(["Group"] if groups else [])):
        table.add_column(heading, overflow="fold")
    for heading in ("CPUs in use", "Memory in use", "Object store in use"):
        table.add_column(heading, justify="right")
    for one in alive:
        role = "head" if one.is_head else "worker"
        table.add_row(
            escape(one.name), role, *([escape(one.group or "-")] if groups else []), *_amounts([one])
        )
    if len(alive) > 1:
        table.add_section()
        table.add_row("all", "", *([""] if groups else []), *_amounts(alive))
    return table


def pods_table(pods: Sequence[PodRow]) -> Table:
    """Build the table of pods."""
    table = empty_table("Pods")
    for heading in ("Pod", "Role", "State", "Host", "Restarts"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "Restarts" else "left")
    for pod in pods:
        table.add_row(
            escape(pod.name), escape(pod.role), escape(pod.state), escape(pod.host or "-"), str(pod.restarts)
        )
    return table


def demand_line(demand: Demand) -> str:
    """Return what waits, for what, and why."""
    many = "" if demand.count == 1 else "s"
    line = (
        f"{demand.count} {demand.kind}{many} {demand.what}: {'each ' if many else ''}wants "
        f"{demand.wants}; {demand.why}."
    )
    if demand.possible:
        return line
    return f"{line} It waits for ever, unless a node comes that has it: ask for less, or change the workers."


def _parts(status: ClusterStatus) -> Iterator[Table | str]:
    if status.pods:
        yield pods_table(status.pods)
        yield ""
    if status.ray is not None:
        yield nodes_table(status.target, status.ray.nodes)
        yield ""
        yield from _work(status.ray)
        yield ""


def _work(ray: RayStatus) -> Iterator[str]:
    yield f"Jobs that run: {len(ray.jobs)}"
    for job in ray.jobs[:_JOBS]:
        cut = len(job.command) > _COMMAND_CHARACTERS
        yield f"  {job.id}  {job.command[:_COMMAND_CHARACTERS]}{'…' if cut else ''}"
    if len(ray.jobs) > _JOBS:
        yield f"  and {len(ray.jobs) - _JOBS} more (piray jobs)"
    yield f"Tasks: {_counts(ray.tasks)}. Actors: {_counts(ray.actors)}."
    if ray.demands:
        yield "Waiting:"
        yield from (f"  {demand_line(one)}" for one in ray.demands)
    else:
        yield "Nothing waits for a node."


def _counts(states: Mapping[str, int]) -> str:
    named = (f"{count} {state.replace('_', ' ').lower()}" for state, count in sorted(states.items()))
    return ", ".join(named) or "none"


def _amounts(nodes: Sequence[RayNode]) -> list[str]:
    """Return what is used of CPUs, memory and object store; a sum of what is not known is not known."""
    cpus = sum(one.cpus for one in nodes)
    used = [one.cpus_used for one in nodes if one.cpus_used is not None]
    cells = [f"{f'{sum(used):g}' if len(used) == len(nodes) else '?'} of {cpus:g}"]
    # Nodes on one host without limits of their own would be counted twice.
    shared = len({one.host for one in nodes}) < len(nodes)
    memory = [(one.memory_used_bytes, one.memory_bytes) for one in nodes]
    pairs = [(used_bytes, total) for used_bytes, total in memory if used_bytes is not None and total]
    if shared or len(pairs) < len(nodes):
        cells.append("" if shared else "?")
    else:
        cells.append(
            f"{size_text(sum(pair[0] for pair in pairs))} of {size_text(sum(pair[1] for pair in pairs))}"
        )
    store = sum(one.store_used_bytes for one in nodes), sum(one.store_bytes for one in nodes)
    cells.append(f"{size_text(store[0])} of {size_text(store[1])}")
    return cells
