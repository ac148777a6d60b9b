"""Decides how numbers are written and what all tables look like."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

# Larger counts are written as a power of ten.
MOST_PLAIN = 10_000
# Two digits after the point would leave one or none of a smaller ratio.
LEAST_PLAIN = 0.1


def seconds_text(value: float) -> str:
    """Render seconds with three digits that count."""
    return f"{value:.2f}" if value >= 1 else f"{value:#.3g}"


def ratio_text(value: float) -> str:
    """Render a ratio with two digits after the point, or, if it is small, with two that count."""
    return f"{value:.2f}" if value >= LEAST_PLAIN else f"{Decimal(f'{value:.2g}'):f}"


def count_text(value: float) -> str:
    """Render a large count with two digits that count, as in 3.1 x 10^9."""
    if value < MOST_PLAIN:
        return f"{value:.0f}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')} x 10^{int(exponent)}"


def nodes_note(machines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a line that says what the nodes are, those of one kind together; none without nodes.

    Args:
        machines: Facts of machines; those with a `name` are nodes.
    """
    kinds: dict[str, list[str]] = {}
    for machine in machines:
        if "name" in machine:
            cores = machine.get("cores")
            kind = str(machine.get("model") or machine.get("arch") or "unknown")
            kinds.setdefault(f"{kind}, {cores} cores" if cores else kind, []).append(str(machine["name"]))
    listed = "; ".join(f"{', '.join(names)} ({kind})" for kind, names in kinds.items())
    return [f"Computed on {listed}."] if listed else []


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
