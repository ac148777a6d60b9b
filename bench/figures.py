"""Decides what a figure is and how figures are written; a ratio at or above its goal is good."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


class WrongAnswer(AssertionError):  # noqa: N818  # says what was found
    """A program that was to be timed computes something else."""


@dataclass(frozen=True)
class Figure:
    """One promise and what was measured of it.

    Attributes:
        name: What is compared.
        ratio: Measured.
        goal: At least this is good.
        how: How it was measured, with the peer's version.
        unit: Of ratio and goal.
    """

    name: str
    ratio: float
    goal: float
    how: str
    unit: str = "times"


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"figures": [asdict(figure) for figure in figures]}, indent=2) + "\n")


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as lines of text."""
    return "\n".join(
        f"{'good' if figure.ratio >= figure.goal else 'open'}  {figure.ratio:8.2f} of {figure.goal:g}  "
        f"{figure.name}  ({figure.how})"
        for figure in figures
    )
