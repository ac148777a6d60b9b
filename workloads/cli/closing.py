"""Decides how every command ends: with warnings beside the result, and the names of the files written."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from workloads.results.rendering import nodes_note
from workloads.results.throttling import warnings


def print_notes(console: Console, notes: Iterable[str], dropped: Iterable[int] = ()) -> None:
    """Print warnings.

    Args:
        console: Where to.
        notes: One sentence each.
        dropped: Numbers of workers whose rows lost a worker for good.
    """
    warnings = list(notes)
    if rows := ", ".join(map(str, dropped)):
        warnings.append(
            f"Row {rows} lost a worker that did not come back: its times are from before the loss, if any."
        )
    for warning in warnings:
        console.print(f"Warning: {warning}", highlight=False, markup=False)


def print_machines(console: Console, machines: Sequence[Mapping[str, Any]]) -> None:
    """Say what the nodes are, and warn of each machine that was slowed down.

    Args:
        console: Where to.
        machines: Facts of each, as result files hold them.
    """
    for text in (*nodes_note(machines), *warnings(machines)):
        console.print(text, highlight=False, markup=False)


def print_files(console: Console, *paths: Path) -> None:
    """Name the files that were written."""
    console.print(f"Wrote {', '.join(map(str, paths))}.", highlight=False, markup=False)
