"""Decides how every command ends: with warnings beside the result, and the names of the files written."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console


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


def print_files(console: Console, *paths: Path) -> None:
    """Name the files that were written."""
    console.print(f"Wrote {', '.join(map(str, paths))}.", highlight=False, markup=False)
