"""Decides how results are shown: tables, and notes on what the figures can and cannot say."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from workloads.mandelbrot.plan import MAX_GRID_PIXELS, MAX_PIXELS, Plan
from workloads.results.pi_records import PiResult
from workloads.results.pi_tables import estimate_note, parts_table, size_note, times_note, times_table
from workloads.results.records import Result
from workloads.results.rendering import empty_table, nodes_note, ratio_text, seconds_text
from workloads.results.throttling import warnings
from workloads.scaling.break_even import pays_from_s

# Seconds by number of workers in the 2020 article (25 May): four Raspberry Pi 4, k3s 1.18, the same
# 3200 x 3200 picture in 1024 NumPy tasks, mean of 8 calls.
ARTICLE_S = {0: 45.09195340787119, 1: 48.55051823974645, 2: 38.57156975386897, 3: 34.654623864378664}
ARTICLE_PLAN = Plan()


def print_result(result: Result | PiResult, console: Console | None = None) -> None:
    """Print a result's tables and notes: 80 columns, colour only on a terminal."""
    console = console or Console()
    if isinstance(result, Result):
        console.print(_fitting(result, console))
        notes = [_comparison_note(result), _kernel_note(result), _worth_note(result)]
    else:
        console.print(parts_table(result))
        console.print()
        console.print(times_table(result))
        notes = [estimate_note(result), times_note(result), size_note(result)]
    console.print()
    for note in notes:
        if note:
            console.print(note, highlight=False, markup=False)
    print_machines(console, (result.machine, *result.nodes))


def print_machines(console: Console, machines: Sequence[Mapping[str, Any]]) -> None:
    """Say what the nodes are, and warn of each machine that was slowed down.

    Args:
        console: Where to.
        machines: Facts of each, as result files hold them.
    """
    for text in (*nodes_note(machines), *warnings(machines)):
        console.print(text, highlight=False, markup=False)


def speedup_table(result: Result, *, spread: bool = True, article: bool = True) -> Table:
    """Build the table of seconds and speed-up.

    Args:
        result: What was measured.
        spread: Show the fastest and the slowest call.
        article: Show the 2020 article's figures beside them.
    """
    table = empty_table(
        f"Mandelbrot{' preview (float32)' if result.plan['preview'] else ''} on {result.target}"
    )
    middle = ("Fastest", "Slowest") if spread else ()
    for heading in ("Workers", "Nodes", "Seconds", *middle, "Speed-up"):
        table.add_column(heading, justify="right", overflow="fold", no_wrap=True)
    article = article and _is_the_articles(result)
    for heading in ("Article\nseconds", "Article\nspeed-up") if article else ():
        table.add_column(heading, justify="right", overflow="fold", no_wrap=True, style="dim")
    for row in result.rows:
        article_s = ARTICLE_S.get(row.workers)
        cells = [str(row.workers), str(row.nodes), seconds_text(row.median_s)]
        if spread:
            cells += [seconds_text(min(row.values_s)), seconds_text(max(row.values_s))]
        cells.append(ratio_text(result.speedup(row)))
        if article and article_s is None:
            cells += ["-", "-"]
        elif article and article_s is not None:
            cells += [f"{article_s:.2f}", f"{ARTICLE_S[0] / article_s:.2f}"]
        table.add_row(*cells)
    return table


def _fitting(result: Result, console: Console) -> Table:
    """Return the fullest table that the console has room for: numbers are never cut."""
    # Measured with room to spare: rich measures a column no wider than the room it has.
    room = console.options.update(width=1000)
    for spread, article in ((True, True), (False, True), (False, False)):
        table = speedup_table(result, spread=spread, article=article)
        if console.measure(table, options=room).maximum <= console.width:
            return table
    for column in table.columns:
        # No table is narrower: a number goes on in the next line rather than lose its end.
        column.no_wrap = False
    return table


def _comparison_note(result: Result) -> str:
    base = result.base
    unit = "one core of this machine" if result.unit == "core" else "one node"
    against = "without workers (row 0)" if base.workers == 0 else f"of {base.workers} workers"
    calls = len(base.values_s)
    kind = "one call each" if calls == 1 else f"medians of {calls} calls"
    said = f"Seconds are {kind}. Speed-up: against the time {against}. "
    if not _is_the_articles(result):
        return f"{said}A worker is {unit}."
    return (
        f"{said}Article: the 2020 article that the README names, on four Raspberry Pi 4 with k3s and Ray. "
        f"Its kernel was another one: compare speed-ups, not seconds. A worker is {unit} here; it was one "
        "Raspberry Pi there."
    )


def _is_the_articles(result: Result) -> bool:
    """Whether the problem is the article's: its seconds mean nothing beside those of another one."""
    return Plan.from_dict(result.plan) == ARTICLE_PLAN


def _kernel_note(result: Result) -> str | None:
    """Say what is not in the times: compiling, or loading what was compiled before."""
    if result.warm_up_s is None or result.kernels_compiled is None:
        return None
    how = "compiled" if result.kernels_compiled else "found compiled on disk"
    return f"The kernels were {how} before, in at most {seconds_text(result.warm_up_s)} s."


def _worth_note(result: Result) -> str | None:
    """Say from what size on the workers pay, and when this picture is smaller than that."""
    base, last = result.base, result.rows[-1]
    overhead_s = last.overhead_s
    if overhead_s is None or base.cores is None or last.cores is None:
        return None
    gain = last.cores / base.cores
    running_s = pays_from_s(overhead_s, gain)
    cold_s = pays_from_s(max(overhead_s, 0.0) + (result.start_s or 0.0), gain)
    if running_s is None or cold_s is None:
        return None
    call = "" if result.call_s is None else f", {seconds_text(1000 * result.call_s)} ms for a call"
    note = (
        f"Workers pay for pictures that take row {base.workers} more than about {seconds_text(running_s)} s: "
        f"handing out and collecting takes {seconds_text(overhead_s)} s here{call}."
    )
    if result.start_s is not None:
        note += (
            f" With the start of Ray and the workers ({seconds_text(result.start_s)} s) they pay from about "
            f"{seconds_text(cold_s)} s on."
        )
    if base.median_s >= cold_s:
        return note
    what = "the workers" if base.median_s < running_s else "starting a cluster for it alone"
    larger = _larger_problem(Plan.from_dict(result.plan))
    return f"{note} This one takes {seconds_text(base.median_s)} s: it is not worth {what}. {larger}"


def _larger_problem(plan: Plan) -> str:
    width, height = 3 * plan.grid_width, 3 * plan.grid_height
    if max(width, height) > MAX_GRID_PIXELS or 9 * plan.width * plan.height > MAX_PIXELS:
        return "To see the workers, raise the number of iterations."
    return f"To see the workers, try GRID_WIDTH={width} GRID_HEIGHT={height}: nine times the work."
