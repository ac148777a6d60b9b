"""Decides what a result is and how it is kept as JSON; measures nothing and prints nothing.

A result file is one JSON object: `format`, `format_version`, `workload`, `created`, and the fields of the
record with what follows from them (medians, speed-ups, the estimate). A change of meaning raises
FORMAT_VERSION.
"""

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from workloads.mandelbrot.plan import Plan
from workloads.pi.estimate import Estimate
from workloads.results.files import replace_file

FORMAT = "piray-result"
FORMAT_VERSION = 2
UNITS = ("node", "core")


class ReportError(ValueError):
    """A result is not what it should be; the message lists every problem."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
    cores: int | None = None
    busy_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a row that no measurement can have."""
        if self.cores is not None and self.cores < 1 or not all(map(_is_time, self.busy_s)):
            raise ReportError(
                f"A row says {self.cores} cores that computed for {list(self.busy_s)} seconds: there must be "
                "at least 1 core, and every time above 0."
            )
        if self.workers < 0 or self.nodes < 1 or not self.values_s or not all(map(_is_time, self.values_s)):
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
    nodes: tuple[Mapping[str, Any], ...] = ()
    unit: str = "node"
    warm_up_s: float | None = None
    kernels_compiled: int | None = None
    start_s: float | None = None
    call_s: float | None = None
    image_sha256: str | None = None
    created: str = field(default_factory=_now)

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
        rows = [{**_plain(row), "median_s": row.median_s, "speedup": self.speedup(row)} for row in self.rows]
        return record(self.workload, {**_plain(self), "rows": rows})


@dataclass(frozen=True, kw_only=True)
class PiPart:
    """One index of the π computation.

    Attributes:
        index: Completion index of the Job, and stream of the random numbers.
        samples: Samples drawn.
        num_inside: How many were inside.
        wall_s: Seconds of counting, without the start of the pod.
        node: Node that computed it.
        pod: Pod that computed it; None without Kubernetes.
    """

    index: int
    samples: int
    num_inside: int
    wall_s: float
    node: str
    pod: str | None = None


@dataclass(frozen=True, kw_only=True)
class PiResult:
    """What `piray run pi` found.

    Attributes:
        target: Where it ran, in words.
        seed: Seed of all streams.
        parts: One for each index; put in order of index.
        wall_s: Seconds from the first start to the last end, on the cluster.
        single_core_s: Seconds of the same samples on one core of the machine that ran the command.
        machine: machine_facts() of that machine.
        nodes: Facts of the nodes that computed, where they are other machines.
        python_s: Seconds of the same number of samples in pure Python, if measured.
        created: UTC, ISO 8601.
    """

    workload: ClassVar[str] = "pi"

    target: str
    seed: int
    parts: tuple[PiPart, ...]
    wall_s: float
    single_core_s: float
    machine: Mapping[str, Any]
    nodes: tuple[Mapping[str, Any], ...] = ()
    python_s: float | None = None
    created: str = field(default_factory=_now)

    def __post_init__(self) -> None:
        """Refuse impossible counts and times, and an index that is there twice: it would count twice."""
        indices = [part.index for part in self.parts]
        if not indices or len(set(indices)) < len(indices):
            raise ReportError(f"Parts with the indices {indices}: there must be at least one, and each once.")
        times = [self.wall_s, self.single_core_s, *(part.wall_s for part in self.parts)]
        if not all(map(_is_time, times)):
            raise ReportError(f"Times of {times} seconds: every time must be above 0.")
        try:
            for part in self.parts:
                Estimate(part.samples, part.num_inside)
        except ValueError as error:
            raise ReportError(str(error)) from error
        object.__setattr__(self, "parts", tuple(sorted(self.parts, key=lambda part: part.index)))

    @property
    def total(self) -> Estimate:
        """All parts together."""
        return Estimate.merge(Estimate(part.samples, part.num_inside) for part in self.parts)

    @property
    def speedup(self) -> float:
        """How many times as fast as one core of the machine that ran the command."""
        return self.single_core_s / self.wall_s

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON record, with what follows from the counts."""
        total = self.total
        derived = {
            "samples": total.samples,
            "num_inside": total.num_inside,
            "estimate": total.estimate,
            "standard_error": total.standard_error,
            "deviation": total.deviation,
            "speedup": self.speedup,
        }
        return record(self.workload, {**_plain(self), **derived})


def record(workload: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Put what a workload found into the envelope of every result file.

    Args:
        workload: Name of the workload.
        body: JSON types; `created` is added if it is missing.
    """
    envelope = {"format": FORMAT, "format_version": FORMAT_VERSION, "workload": workload, "created": _now()}
    return {**envelope, **body}


def write_json(path: Path, result: Result | PiResult | Mapping[str, Any]) -> None:
    """Write a result, or a record made with `record`; an older file is replaced only by a whole one.

    Raises:
        FileError: If the file cannot be written.
        ValueError: If the record holds NaN or infinity, which JSON has not.
    """
    values = result if isinstance(result, Mapping) else result.to_dict()
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(path, text.encode())


def load_json(path: Path) -> Result | PiResult:
    """Read a result.

    Raises:
        ReportError: If the file is no result of this format version; lists every problem.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ReportError(f"{path} is no JSON: {error}. Run the workload again to make a new one.") from error
    try:
        return from_dict(values)
    except ReportError as error:
        raise ReportError(f"{path} is no result that this piray can read:\n{error}") from error


def from_dict(values: object) -> Result | PiResult:
    """Rebuild a result from its JSON record.

    Raises:
        ReportError: Lists every field that is missing, unknown, of the wrong type or contradicts another.
    """
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        raise ReportError(f"It lacks `format`: {FORMAT!r}. Give a file that `piray run` wrote.")
    version = values.get("format_version")
    if version != FORMAT_VERSION or type(version) is not int:
        raise ReportError(
            f"format_version is {version!r}: this piray reads {FORMAT_VERSION}. Run the workload again, or "
            "use the piray that wrote the file."
        )
    kinds: dict[Any, type[Result] | type[PiResult]] = {kind.workload: kind for kind in (Result, PiResult)}
    kind = kinds.get(values.get("workload"))
    if kind is None:
        raise ReportError(f"workload is {values.get('workload')!r}: it must be one of {', '.join(kinds)}.")
    problems: list[str] = []
    result = _build(kind, values, "", problems)
    if problems:
        raise ReportError("\n".join(problems))
    assert isinstance(result, Result | PiResult)
    expected = result.to_dict()
    different = [key for key in sorted({*expected, *values}) if expected.get(key) != values.get(key)]
    if different:
        raise ReportError(
            "\n".join(f"{key} is unknown or does not follow from the other fields." for key in different)
        )
    return result


def _is_time(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _plain(result: Row | Result | PiResult) -> dict[str, Any]:
    """Return the fields as JSON types, tuples as lists."""
    values = asdict(result)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _build(kind: Any, values: object, path: str, problems: list[str]) -> Any:
    """Build a value of an annotated type from JSON; adds a line to `problems` for each thing that is wrong.

    Knows the types that the records of this module use and no others.
    """
    if get_origin(kind) is tuple:
        if not isinstance(values, list):
            problems.append(f"{path} is {values!r:.80}: it must be a list.")
            return ()
        (inner, _) = get_args(kind)
        return tuple(_build(inner, item, f"{path}[{i}]", problems) for i, item in enumerate(values))
    if isinstance(kind, type) and issubclass(kind, Row | Result | PiPart | PiResult):
        return _build_record(kind, values, path, problems)
    allowed = get_args(kind) if isinstance(kind, UnionType) else (get_origin(kind) or kind,)
    # JSON has one kind of number; a bool is an int only to Python.
    accepted = (*allowed, int) if float in allowed else allowed
    if isinstance(values, bool) or not isinstance(values, accepted):
        names = " or ".join(_JSON_NAMES[item] for item in allowed)
        problems.append(f"{path} is {values!r:.80}: it must be {names}.")
    return values


_JSON_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
    Mapping: "an object",
}


def _build_record(
    kind: type[Row | Result | PiPart | PiResult], values: object, path: str, problems: list[str]
) -> Row | Result | PiPart | PiResult | None:
    if not isinstance(values, Mapping):
        problems.append(f"{path} is {values!r:.80}: it must be an object.")
        return None
    before = len(problems)
    hints = get_type_hints(kind)
    arguments = {}
    for item in fields(kind):
        name = f"{path}.{item.name}" if path else item.name
        if item.name in values:
            arguments[item.name] = _build(hints[item.name], values[item.name], name, problems)
        else:
            problems.append(f"{name} is missing.")
    if len(problems) > before:
        return None
    try:
        return kind(**arguments)
    except ReportError as error:
        problems.append(f"{path}: {error}" if path else str(error))
        return None
