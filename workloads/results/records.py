"""Decides what a result is, and what the envelope of a result file holds; measures and prints nothing.

A result file is one JSON object: `format`, `format_version`, `workload`, `created`, and the fields of the
record with what follows from them (medians, speed-ups, the estimate). A change of meaning raises
FORMAT_VERSION. Fields that are not measured are None, never left out; only `created` has a default.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from workloads.mandelbrot.plan import Plan

FORMAT = "piray-result"
FORMAT_VERSION = 2
UNITS = ("node", "core")


class ReportError(ValueError):
    """A result is not what it should be; the message lists every problem."""


def record(workload: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Put what a workload found into the envelope of every result file.

    Args:
        workload: Name of the workload.
        body: JSON types; `created` is added if it is missing.
    """
    envelope = {"format": FORMAT, "format_version": FORMAT_VERSION, "workload": workload, "created": now()}
    return {**envelope, **body}


def now() -> str:
    """Return the time as results keep it: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_time(value: float) -> bool:
    """Return whether a measured time can have so many seconds."""
    return math.isfinite(value) and value > 0


def plain(values: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as JSON types, tuples as lists."""
    fields = asdict(values)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}


@dataclass(frozen=True, kw_only=True)
class Row:
    """The wall times of one number of workers.

    Attributes:
        workers: Ray workers that computed; 0 is the head alone.
        nodes: Nodes that took part, at least 1.
        values_s: Seconds of each call, in order; warm-up left out.
        cores: CPUs that computed, if known.
        busy_s: Seconds that these computed in each call, summed over them.
    """

    workers: int
    nodes: int
    values_s: tuple[float, ...]
    cores: int | None
    busy_s: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse a row that no measurement can have."""
        if self.cores is not None and self.cores < 1 or not all(map(is_time, self.busy_s)):
            raise ReportError(
                f"A row says {self.cores} cores that computed for {list(self.busy_s)} seconds: there must be "
                "at least 1 core, and every time above 0."
            )
        if self.workers < 0 or self.nodes < 1 or not self.values_s or not all(map(is_time, self.values_s)):
            raise ReportError(
                f"A row says {self.workers} workers, {self.nodes} nodes and {list(self.values_s)} seconds: "
                "there must be at least 0 workers, 1 node and one time, and every time above 0."
            )

    @property
    def median_s(self) -> float:
        """Median of the values."""
        return statistics.median(self.values_s)

    @property
    def overhead_s(self) -> float | None:
        """Median of what a call took beyond its computing time divided by the cores; None if not measured."""
        if self.cores is None or len(self.busy_s) != len(self.values_s):
            return None
        pairs = zip(self.values_s, self.busy_s, strict=True)
        return statistics.median(wall_s - busy_s / self.cores for wall_s, busy_s in pairs)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What `piray run mandelbrot` measured.

    Attributes:
        target: Where it ran, in words: "embedded Ray", "stack dev".
        plan: Plan.to_dict().
        rows: By number of workers; each number once. Put in order of workers.
        machine: machine_facts() of the machine that ran the command.
        nodes: Facts of the nodes that computed, where they are other machines.
        unit: What a worker is: "node", or "core" where all of them are on one machine.
        warm_up_s: Seconds until the slowest process had its kernel ready, kept apart.
        kernels_compiled: How many kernels had to be compiled for that: 0 if all were found on disk.
        start_s: Seconds until Ray and all workers were ready, warm-up included, if measured.
        call_s: Seconds a call to a worker takes beside its work, if measured.
        image_sha256: SHA-256 of the picture's colour indices, the same for every row.
        created: UTC, ISO 8601.
    """

    workload: ClassVar[str] = "mandelbrot"

    target: str
    plan: Mapping[str, Any]
    rows: tuple[Row, ...]
    machine: Mapping[str, Any]
    nodes: tuple[Mapping[str, Any], ...]
    unit: str
    warm_up_s: float | None
    kernels_compiled: int | None
    start_s: float | None
    call_s: float | None
    image_sha256: str | None
    created: str = field(default_factory=now)

    def __post_init__(self) -> None:
        """Refuse a plan or a unit that is none, no rows, and two rows for one number of workers."""
        try:
            Plan.from_dict(self.plan)
        except ValueError as error:
            raise ReportError(str(error)) from error
        if self.unit not in UNITS:
            raise ReportError(f"unit is {self.unit!r}: it must be one of {', '.join(UNITS)}.")
        workers = [row.workers for row in self.rows]
        if not workers or len(set(workers)) < len(workers):
            raise ReportError(
                f"Rows for {workers} workers: there must be at least one, and each number once."
            )
        object.__setattr__(self, "rows", tuple(sorted(self.rows, key=lambda row: row.workers)))

    @property
    def base(self) -> Row:
        """The row that speed-ups are relative to: the one with the fewest workers, 0 if it was measured."""
        return self.rows[0]

    def speedup(self, row: Row) -> float:
        """Return how many times as fast as the base a row is."""
        return self.base.median_s / row.median_s

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON record, with median and speed-up of every row."""
        rows = [{**plain(row), "median_s": row.median_s, "speedup": self.speedup(row)} for row in self.rows]
        return record(self.workload, {**plain(self), "rows": rows})
