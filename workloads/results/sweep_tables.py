"""Decides how a sweep is shown: a table for each problem, and what laws say of it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from workloads.mandelbrot.plan import Plan
from workloads.results.rendering import empty_table, ratio_text, seconds_text
from workloads.results.tables import ARTICLE_S
from workloads.scaling.forecast import (
    ARTICLE_PROBLEM,
    GOOD,
    MOST_NODES,
    NODES,
    WORKER_CORES,
    Costs,
    Forecast,
    forecasts,
    predict,
)
from workloads.scaling.laws import CONFIDENCE, Scaling, Timing, gain, scaling
from workloads.scaling.simulated_cluster import SimulatedCluster
from workloads.scaling.simulation import Cause

PERCENT = 100
# Where no other node was measured: gigabit Ethernet, with what its protocols leave; a small message's way.
LINK_BYTES_S, LATENCY_S = 110e6, 3e-4
_CAUSES: dict[Cause, str] = {
    "driver": "the driver's calls",
    "call": "what a call costs a worker",
    "link": "the network into the head",
    "latency": "the way there and back",
    "tail": "the uneven end",
}
_DROPPED = "a worker was lost and did not come back; look at its pod and its log"
_LAWS = {
    "amdahl": "Amdahl's law",
    "gustafson": "Gustafson's law",
    "usl": "The universal scalability law",
}
_PARAMETERS = {
    "serial": "serial fraction",
    "sigma": "contention sigma",
    "kappa": "coherency kappa",
}


def analyse(problem: Mapping[str, Any]) -> Scaling:
    """Compare the rows of a problem, one for each number of cores, and fit the laws.

    Args:
        problem: As the event "problem" gives it, with one row at least.
    """
    timings: dict[int, Timing] = {}
    for row in problem["rows"]:
        # Row 0 of a single machine is one core without Ray, row 1 one core with it: the first is the base.
        timings.setdefault(max(1, row["actors"]), _timing(row))
    return scaling(list(timings.values()), problem["kind"])


def to_dict(problem: Mapping[str, Any], costs: Costs) -> dict[str, Any]:
    """Return a problem with what follows from its times, as JSON types."""
    rows = [{**row, "simulated_s": simulated_s(row, costs)} for row in problem["rows"]]
    return {**problem, "rows": rows, "scaling": analyse(problem).to_dict() if rows else None}


def simulated_s(row: Mapping[str, Any], costs: Costs) -> float | None:
    """Return what the simulation takes for a row; None for one that needs no cluster.

    It is told how fast the cores were in this row, not how long it took.
    """
    if not row["actors"]:
        return None
    plan = Plan.from_dict(row["plan"])
    return predict(plan, row["cores"], statistics.median(row["busy_s"]), costs).wall_s


def print_sweep(problems: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print a table and the laws for each problem, as `to_dict` returns them: nothing is fitted again."""
    for problem in problems:
        if not problem["rows"]:
            console.print(f"{_title(problem)}: nothing measured: {_DROPPED}.", highlight=False, markup=False)
            continue
        console.print(_table(problem))
        if problem["dropped"]:
            rows = ", ".join(map(str, problem["dropped"]))
            console.print(f"Row {rows} lacks rounds: {_DROPPED}.", highlight=False, markup=False)
        for law in problem["scaling"]["laws"]:
            console.print(_law_text(law), highlight=False, markup=False)
        console.print()
    console.print(
        "Speed-up and efficiency are medians over the rounds, each against the first row of its round; in "
        f"brackets the {PERCENT * CONFIDENCE:.0f} % interval of the efficiency by Student's t. Busy: the "
        "part of the cores' time in which they computed. Model: the seconds that the simulation takes from "
        "which the next table comes, with cores as fast as in this row. With weak scaling the picture grows "
        "with the number of cores.",
        highlight=False,
        markup=False,
    )


def more_nodes(result: Mapping[str, Any]) -> list[Forecast]:
    """Simulate clusters of many nodes like those that were measured, for every strong problem.

    Args:
        result: What the event "result" of a sweep holds.
    """
    if not result["speeds"]:
        return []
    costs = Costs(**result["costs"])
    latency_s, link_bytes_s = _network(costs)
    node = SimulatedCluster(
        cores=(1,),
        speed=statistics.median(result["speeds"]),
        call_s=costs.call_s,
        gap_s=costs.call_s,
        latency_s=latency_s,
        link_bytes_s=link_bytes_s,
        copy_bytes_s=costs.copy_bytes_s,
    )
    strong = [problem for problem in result["problems"] if problem["kind"] == "strong"]
    return forecasts({problem["name"]: Plan.from_dict(problem["plan"]) for problem in strong}, node)


def print_forecasts(found: Sequence[Forecast], costs: Costs, console: Console) -> None:
    """Print what simulated clusters of many nodes would make of the problems."""
    if not found:
        return
    table = empty_table("With many nodes like these: efficiency, simulated")
    table.add_column("Problem")
    for nodes in NODES:
        table.add_column(f"{nodes}", justify="right", no_wrap=True)
    table.add_column(f"{PERCENT * GOOD:.0f} % up to", justify="right", no_wrap=True)
    table.add_column("Then it is", overflow="fold")
    for one in found:
        efficiencies = [_percent(one.outcomes[nodes].efficiency) for nodes in NODES]
        least = "at least " if one.nodes == MOST_NODES else ""
        table.add_row(one.picture, *efficiencies, f"{least}{one.nodes}", _CAUSES[one.cause])
    console.print(table)
    latency_s, link_bytes_s = _network(costs)
    origin = "assumed" if costs.link_bytes_s is None else "measured"
    console.print(
        "Simulated with the speed, the cost of a call and the memory that were measured here, and with a "
        f"network of {link_bytes_s / 1e6:.0f} MB/s into the head and {1000 * latency_s:.2g} ms to it "
        f'({origin}). {WORKER_CORES} cores for each node are assumed. "{PERCENT * GOOD:.0f} % up to" is the '
        'largest number of nodes with such an efficiency; "Then it is" says what costs most time with '
        "more.",
        highlight=False,
        markup=False,
    )


def _network(costs: Costs) -> tuple[float, float]:
    """Return the seconds to another node and the bytes a second from there, assumed if there is none."""
    return (
        LATENCY_S if costs.latency_s is None else costs.latency_s,
        LINK_BYTES_S if costs.link_bytes_s is None else costs.link_bytes_s,
    )


def _title(problem: Mapping[str, Any]) -> str:
    plan = problem["plan"]
    width, height = plan["x_grids"] * plan["grid_width"], plan["y_grids"] * plan["grid_height"]
    return (
        f"{problem['name'].capitalize()}: {width} x {height} pixels, {plan['max_iterations']} iterations "
        f"({problem['kind']} scaling)"
    )


def _table(problem: Mapping[str, Any]) -> Table:
    table = empty_table(_title(problem))
    for heading in ("Workers", "Cores", "Seconds", "Model", "Busy", "Speed-up", "Efficiency"):
        table.add_column(heading, justify="right", no_wrap=True)
    with_article = problem["name"] == ARTICLE_PROBLEM
    if with_article:
        table.add_column("Article\nspeed-up", justify="right", no_wrap=True, style="dim")
    for row, found in zip(problem["rows"], _gains(problem), strict=True):
        busy = sum(row["busy_s"]) / sum(row["values_s"]) / found["cores"]
        simulated = row["simulated_s"]
        cells = [
            str(row["workers"]),
            str(found["cores"]),
            seconds_text(found["wall_s"]),
            "-" if simulated is None else seconds_text(simulated),
            _percent(busy),
            ratio_text(found["speedup"]["value"]),
            _with_interval(found["efficiency"]),
        ]
        if with_article:
            there_s = ARTICLE_S.get(row["workers"])
            cells.append("-" if there_s is None else ratio_text(ARTICLE_S[0] / there_s))
        table.add_row(*cells)
    return table


def _gains(problem: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what each row gained; only a second row of one core, with Ray, is still to be compared."""
    known = {one["cores"]: one for one in problem["scaling"]["gains"]}
    base, *_ = timings = [_timing(row) for row in problem["rows"]]
    return [known.pop(own.cores, None) or asdict(gain(base, own, problem["kind"])) for own in timings]


def _timing(row: Mapping[str, Any]) -> Timing:
    return Timing(max(1, row["actors"]), tuple(row["values_s"]))


def _law_text(law: Mapping[str, Any]) -> str:
    parameters = ", ".join(
        f"{_PARAMETERS[name]} {found['value']:.2g}"
        + ("" if found["low"] is None else f" ({found['low']:.2g} to {found['high']:.2g})")
        for name, found in law["parameters"].items()
    )
    return f"{_LAWS[law['name']]}: {'; '.join(filter(None, (parameters, law['note'])))}."


def _with_interval(found: Mapping[str, Any]) -> str:
    value, low, high = (found[key] for key in ("value", "low", "high"))
    if low is None or high is None or low == high:
        return _percent(value)
    return f"{_percent(value)} ({PERCENT * low:.0f}-{PERCENT * high:.0f})"


def _percent(share: float) -> str:
    return f"{PERCENT * share:.0f} %"
