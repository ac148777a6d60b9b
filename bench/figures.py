"""Decides what a figure is, when it is good, and how figures are written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.ratios import Interval, Ratio

FORMAT = "piray-bench"
# 1 had neither `interval` nor `verdict`, and did not say its version.
FORMAT_VERSION = 2


class WrongAnswer(AssertionError):  # noqa: N818  # says what was found
    """A program that was to be timed computes something else."""


class Verdict(StrEnum):
    """What a figure says of its goal."""

    GOOD = "good"
    OPEN = "open"
    TOO_NOISY = "too noisy to tell"


@dataclass(frozen=True)
class Figure:
    """One promise and what was measured of it.

    Attributes:
        name: What is compared.
        ratio: Measured.
        goal: At least this is good.
        how: How it was measured, with the peer's version.
        unit: Of ratio and goal.
        interval: Of the ratio; None for one that does not scatter: counts, memory and models.
    """

    name: str
    ratio: float
    goal: float
    how: str
    unit: str = "times"
    interval: Interval | None = None

    @property
    def verdict(self) -> Verdict:
        """Good or open only where the whole interval is; a single pair says nothing of the scatter."""
        low, high = (self.interval.low, self.interval.high) if self.interval else (self.ratio, self.ratio)
        if self.interval and self.interval.confidence == 0:
            return Verdict.TOO_NOISY
        if low >= self.goal:
            return Verdict.GOOD
        return Verdict.OPEN if high < self.goal else Verdict.TOO_NOISY


def timed(name: str, ratio: Ratio, goal: float, how: str) -> Figure:
    """Return the figure of a ratio that scatters."""
    return Figure(name, ratio.median, goal, how, interval=ratio.interval)


def to_json(figures: Sequence[Figure]) -> str:
    """Return figures as a JSON object of some lines, with the verdicts."""
    listed = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
    return json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION, "figures": listed}, indent=2)


def from_json(text: str) -> list[Figure]:
    """Return the figures of what `to_json` wrote."""
    return [_from_dict(values) for values in json.loads(text)["figures"]]


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(figures) + "\n")


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as lines of text."""
    return "\n".join(_line(figure) for figure in figures)


def _from_dict(values: Mapping[str, Any]) -> Figure:
    interval = values["interval"] and Interval(**values["interval"])
    return Figure(**{**{key: values[key] for key in values if key != "verdict"}, "interval": interval})


def _line(figure: Figure) -> str:
    interval, between = figure.interval, "exact"
    if interval:
        between = f"{interval.low:.2f} to {interval.high:.2f} ({100 * interval.confidence:.0f} %)"
    measured = f"{figure.ratio:8.2f} of {figure.goal:<5g}  {between:22}"
    return f"{figure.verdict:17}  {measured}  {figure.name}  ({figure.how})"
