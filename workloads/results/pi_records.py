"""Decides what a result of the π computation is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from workloads.pi.estimate import Estimate
from workloads.results.records import ReportError, is_time, now, plain, record
from workloads.scaling.break_even import SharedRun


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
    pod: str | None


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
        at_once: Most parts that may have computed at the same time; None for as many as there are.
        created: UTC, ISO 8601.
    """

    workload: ClassVar[str] = "pi"

    target: str
    seed: int
    parts: tuple[PiPart, ...]
    wall_s: float
    single_core_s: float
    machine: Mapping[str, Any]
    nodes: tuple[Mapping[str, Any], ...]
    python_s: float | None
    at_once: int | None = None
    created: str = field(default_factory=now)

    def __post_init__(self) -> None:
        """Refuse impossible counts and times, and an index that is there twice: it would count twice."""
        if self.at_once is not None and self.at_once < 1:
            raise ReportError(f"{self.at_once} parts at the same time: there must be at least 1.")
        indices = [part.index for part in self.parts]
        if not indices or len(set(indices)) < len(indices):
            raise ReportError(f"Parts with the indices {indices}: there must be at least one, and each once.")
        times = [self.wall_s, self.single_core_s, *(part.wall_s for part in self.parts)]
        if not all(map(is_time, times)):
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

    @property
    def run(self) -> SharedRun:
        """The times, beside those of one core of the machine that ran the command."""
        parts_s = tuple(part.wall_s for part in self.parts)
        return SharedRun(self.single_core_s, self.wall_s, parts_s, self.at_once or len(parts_s))

    @property
    def pays_from_samples(self) -> int | None:
        """From how many samples on the parts together are faster than that core; None if they never are."""
        times = self.run.pays_from
        return None if times is None else max(1, math.ceil(times * self.total.samples))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON record, with what follows from the counts."""
        total, run = self.total, self.run
        derived = {
            "samples": total.samples,
            "num_inside": total.num_inside,
            "estimate": total.estimate,
            "standard_error": total.standard_error,
            "deviation": total.deviation,
            "speedup": self.speedup,
            "computing_s": run.computing_s,
            "busiest_core_s": run.busiest_core_s,
            "overhead_s": run.overhead_s,
            "pays_from_samples": self.pays_from_samples,
        }
        return record(self.workload, {**plain(self), **derived})
