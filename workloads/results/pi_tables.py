"""Decides how a result of the π computation is shown, and says from how many samples on the Pis pay."""

import math

from rich.markup import escape
from rich.table import Table

from workloads.pi.philox import MAX_SAMPLES
from workloads.results.pi_records import PiResult
from workloads.results.rendering import count_text, empty_table, ratio_text, seconds_text

# The advice is so many times the size at which both are equally fast: there the difference is plain.
PLAINLY = 4


def parts_table(result: PiResult) -> Table:
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


def times_table(result: PiResult) -> Table:
    """Build the table that tells computing from waiting."""
    run = result.run
    table = empty_table("Where the time went")
    table.add_column("")
    table.add_column("Seconds", justify="right", overflow="fold", no_wrap=True)
    count = len(result.parts)
    table.add_row(f"Computing, {count} {_noun(result)}{'s' * (count != 1)}", seconds_text(run.computing_s))
    if run.cores > 1:
        table.add_row(f"Computing, the busiest of {run.cores} cores", seconds_text(run.busiest_core_s))
    table.add_row("Starting and waiting", seconds_text(run.overhead_s))
    table.add_row("From the first start to the last end", seconds_text(result.wall_s))
    return table


def estimate_note(result: PiResult) -> str:
    """Say what was found and how far it is from π."""
    total = result.total
    return (
        f"pi is about {total.estimate:.7f} +- {total.standard_error:.7f} ({total.samples} samples, "
        f"{total.num_inside} inside): {total.deviation:.2f} standard errors from pi."
    )


def times_note(result: PiResult) -> str:
    """Say how long it took, beside one core of the machine that ran the command."""
    python = "" if result.python_s is None else f", in pure Python {seconds_text(result.python_s)} s"
    streams = len(result.parts)
    nodes = len({part.node for part in result.parts})
    places = f"{streams} stream{'s' * (streams != 1)} on {nodes} node{'s' * (nodes != 1)}"
    return (
        f"{places}: {seconds_text(result.wall_s)} s from "
        f"the first start to the last end. The same samples on one core of this machine: "
        f"{seconds_text(result.single_core_s)} s{python} (speed-up {ratio_text(result.speedup)})."
    )


def size_note(result: PiResult) -> str:
    """Say from how many samples on the parts beat one core of this machine, or why they never do."""
    run, samples, pays_from = result.run, result.total.samples, result.pays_from_samples
    count, noun = len(result.parts), _noun(result)
    who, be, do = f"this {noun}", "is", "it counts"
    if count > 1:
        who, be, do = f"these {count} {noun}s", "are", "they count"
    rates = (
        f"{do} {count_text(samples / run.busiest_core_s)} samples a second, that core "
        f"{count_text(samples / run.alone_s)}"
    )
    if pays_from is None:
        text = f"No number of samples makes {who} clearly faster than one core of this machine: {rates}."
        if run.cores_to_pay > run.cores:
            return f"{text} About {run.cores_to_pay} such cores would be, all computing at once."
        return f"{text} The slowest of them keeps the others waiting."
    first = (
        "With any number of samples" if pays_from == 1 else f"From about {count_text(pays_from)} samples on"
    )
    text = (
        f"{first}, {who} {be} faster than one core "
        f"of this machine: {rates}; starting and waiting takes {seconds_text(run.overhead_s)} s here."
    )
    if pays_from <= samples:
        return text
    return f"{text} This run has {count_text(samples)}. {_advice(result, pays_from)}"


def _advice(result: PiResult, pays_from: int) -> str:
    """Name a number of samples, rounded up to one digit, with which the difference is plain."""
    each = math.ceil(PLAINLY * pays_from / len(result.parts))
    digit = 10 ** (len(str(each)) - 1)
    each = -(-each // digit) * digit
    if each > MAX_SAMPLES:
        return "That takes more streams: raise --completions, or piJob.completions in the stack's config."
    speedup = result.run.speedup(each * len(result.parts) / result.total.samples)
    return (
        f"Try --samples {each}, or piJob.samples: {each} for the Job of a stack: about "
        f"{ratio_text(speedup)} times as fast as that core."
    )


def _noun(result: PiResult) -> str:
    """Return what a part is: a pod if each has one of its own, or else a task."""
    pods = {part.pod for part in result.parts}
    return "task" if None in pods or len(pods) < len(result.parts) else "pod"
