"""Decides how results are shown: tables, and notes on what the figures can and cannot say."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workloads.mandelbrot.plan import MAX_GRID_PIXELS, MAX_PIXELS, Plan
from workloads.results.records import (
    FORMAT_VERSION,
    PiPart,
    PiResult,
    ReportError,
    Result,
    Row,
    from_dict,
    load_json,
    record,
    write_json,
)

__all__ = [
    "FORMAT_VERSION",
    "PiPart",
    "PiResult",
    "ReportError",
    "Result",
    "Row",
    "from_dict",
    "load_json",
    "pi_table",
    "print_result",
    "record",
    "speedup_table",
    "write_json",
]

# Seconds by number of workers in the first write-up (25 May 2020): four Raspberry Pi 4, k3s 1.18, the same
# 3200 x 3200 picture in 1024 NumPy tasks, mean of 8 calls.
WRITE_UP_S = {0: 45.09195340787119, 1: 48.55051823974645, 2: 38.57156975386897, 3: 34.654623864378664}


def print_result(result: Result | PiResult, console: Console | None = None) -> None:
    """Print a result's tables and notes: 80 columns, colour only on a terminal."""
    console = console or Console()
    if isinstance(result, Result):
        console.print(_fitting(result, console))
        notes = [
            _comparison_note(result),
            _kernel_note(result),
            _worth_note(result),
            _throttling_note(result),
        ]
    else:
        console.print(pi_table(result))
        notes = [_estimate_note(result), _pi_times_note(result), _throttling_note(result)]
    console.print()
    for note in notes:
        if note:
            console.print(note, highlight=False, markup=False)


def speedup_table(result: Result, *, spread: bool = True, write_up: bool = True) -> Table:
    """Build the table of seconds and speed-up.

    Args:
        result: What was measured.
        spread: Show the fastest and the slowest call.
        write_up: Show the first write-up's figures beside them.
    """
    table = empty_table(
        f"Mandelbrot{' preview (float32)' if result.plan['preview'] else ''} on {result.target}"
    )
    middle = ("Fastest", "Slowest") if spread else ()
    for heading in ("Workers", "Nodes", "Seconds", *middle, "Speed-up"):
        table.add_column(heading, justify="right", overflow="fold", no_wrap=True)
    for heading in ("Write-up\nseconds", "Write-up\nspeed-up") if write_up else ():
        table.add_column(heading, justify="right", overflow="fold", no_wrap=True, style="dim")
    for row in result.rows:
        write_up_s = WRITE_UP_S.get(row.workers)
        cells = [str(row.workers), str(row.nodes), seconds_text(row.median_s)]
        if spread:
            cells += [seconds_text(min(row.values_s)), seconds_text(max(row.values_s))]
        cells.append(f"{result.speedup(row):.2f}")
        if write_up and write_up_s is None:
            cells += ["-", "-"]
        elif write_up and write_up_s is not None:
            cells += [f"{write_up_s:.2f}", f"{WRITE_UP_S[0] / write_up_s:.2f}"]
        table.add_row(*cells)
    return table


def _fitting(result: Result, console: Console) -> Table:
    """Return the fullest table that the console has room for: numbers are never cut."""
    # Measured with room to spare: rich measures a column no wider than the room it has.
    room = console.options.update(width=1000)
    for spread, write_up in ((True, True), (False, True), (False, False)):
        table = speedup_table(result, spread=spread, write_up=write_up)
        if console.measure(table, options=room).maximum <= console.width:
            return table
    for column in table.columns:
        # No table is narrower: a number goes on in the next line rather than lose its end.
        column.no_wrap = False
    return table


def pi_table(result: PiResult) -> Table:
    """Build the table of the parts: which pod on which node counted what."""
    table = empty_table(f"pi on {result.target}")
    with_pods = any(part.pod for part in result.parts)
    table.add_column("Index", justify="right")
    table.add_column("Node", overflow="fold")
    if with_pods:
        table.add_column("Pod", overflow="fold")
    for heading in ("Samples", "Inside", "Seconds"):
        table.add_column(heading, justify="right", overflow="fold", no_wrap=True)
    for part in result.parts:
        names = [escape(part.node), escape(part.pod or "-")] if with_pods else [escape(part.node)]
        numbers = [str(part.samples), str(part.num_inside), seconds_text(part.wall_s)]
        table.add_row(str(part.index), *names, *numbers)
    return table


def empty_table(title: str) -> Table:
    """Return an empty table in the style of all results."""
    return Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )


def _comparison_note(result: Result) -> str:
    base = result.base
    unit = "one core of this machine" if result.unit == "core" else "one node"
    against = "without workers (row 0)" if base.workers == 0 else f"of {base.workers} workers"
    calls = len(base.values_s)
    kind = "one call each" if calls == 1 else f"medians of {calls} calls"
    return (
        f"Seconds are {kind}. Speed-up: against the time {against}. Write-up: "
        f"four Raspberry Pi 4, k3s and Ray, May 2020, another kernel: compare speed-ups, not seconds. A "
        f"worker is {unit} here; it was one Raspberry Pi there."
    )


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
    if overhead_s is None or base.cores is None or last.cores is None or last.cores <= base.cores:
        return None
    saved = 1 - base.cores / last.cores
    running_s = max(overhead_s, 0.0) / saved
    call = "" if result.call_s is None else f", {seconds_text(1000 * result.call_s)} ms for a call"
    note = (
        f"Workers pay for pictures that take row {base.workers} more than about {seconds_text(running_s)} s: "
        f"handing out and collecting takes {seconds_text(overhead_s)} s here{call}."
    )
    cold_s = running_s
    if result.start_s is not None:
        cold_s = running_s + result.start_s / saved
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


def _throttling_note(result: Result | PiResult) -> str | None:
    """Say when a Raspberry Pi was slowed down, which spoils every figure."""
    flags = {facts.get("throttled") for facts in (result.machine, *result.nodes)}
    bad = sorted(str(flag) for flag in flags if flag not in (None, "0x0"))
    if not bad:
        return None
    return (
        f"Warning: a Raspberry Pi reports throttling ({', '.join(bad)}): too little voltage or too much "
        "heat. Do not trust these times; mend the power supply or the cooling and run again."
    )


def _estimate_note(result: PiResult) -> str:
    total = result.total
    return (
        f"pi is about {total.estimate:.7f} +- {total.standard_error:.7f} ({total.samples} samples, "
        f"{total.num_inside} inside): {total.deviation:.2f} standard errors from pi."
    )


def _pi_times_note(result: PiResult) -> str:
    python = "" if result.python_s is None else f", in pure Python {seconds_text(result.python_s)} s"
    streams = len(result.parts)
    nodes = len({part.node for part in result.parts})
    places = f"{streams} stream{'s' * (streams != 1)} on {nodes} node{'s' * (nodes != 1)}"
    return (
        f"{places}: {seconds_text(result.wall_s)} s from "
        f"the first start to the last end. The same samples on one core of this machine: "
        f"{seconds_text(result.single_core_s)} s{python} (speed-up {result.speedup:.2f})."
    )


def seconds_text(value: float) -> str:
    """Render seconds with three digits that count."""
    return f"{value:.2f}" if value >= 1 else f"{value:#.3g}"
