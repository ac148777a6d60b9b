"""Decides from what size on more cores pay, by what one run measured; knows neither pictures nor samples."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

# Two times that differ by less may be the same: another run would scatter as much.
LEAST_GAIN = 1.1


def pays_from_s(overhead_s: float, gain: float) -> float | None:
    """Return how long a work must take alone so that sharing it takes no longer.

    Args:
        overhead_s: Seconds that sharing costs, whatever the size of the work.
        gain: How many times as fast as alone the work itself is once it is shared.

    Returns:
        Seconds; None if sharing never pays.
    """
    if gain <= 1:
        return None
    return max(overhead_s, 0.0) / (1 - 1 / gain)


@dataclass(frozen=True)
class SharedRun:
    """One run of a work in parts, and what it says about larger runs of the same kind.

    Attributes:
        alone_s: Seconds of the same work on one core alone.
        wall_s: Seconds from the start of the first part to the end of the last one.
        parts_s: Seconds that each part computed, in the order in which the parts began.
        at_once: Most parts that compute at the same time, at least 1.
    """

    alone_s: float
    wall_s: float
    parts_s: tuple[float, ...]
    at_once: int

    @property
    def cores(self) -> int:
        """How many cores computed at the same time."""
        return min(self.at_once, len(self.parts_s))

    @property
    def computing_s(self) -> float:
        """Seconds that the parts computed, summed."""
        return sum(self.parts_s)

    @property
    def busiest_core_s(self) -> float:
        """Seconds that the core with the most work computed; they grow with the work, the others do not."""
        return _busiest_s(self.parts_s, self.cores)

    @property
    def overhead_s(self) -> float:
        """Seconds of the wall time in which the busiest core computed nothing: starting and waiting."""
        return max(0.0, self.wall_s - self.busiest_core_s)

    @property
    def gain(self) -> float:
        """How many times as fast as alone the parts are together, starting and waiting left out."""
        return self.alone_s / self.busiest_core_s

    @property
    def pays_from(self) -> float | None:
        """From how many times the work of this run on sharing pays; None if it never does."""
        if self.gain < LEAST_GAIN:
            return None
        seconds = pays_from_s(self.overhead_s, self.gain)
        return None if seconds is None else seconds / self.alone_s

    @property
    def cores_to_pay(self) -> int:
        """How many cores like these, all computing at once, would clearly be faster than the one alone."""
        return int(LEAST_GAIN * self.computing_s / self.alone_s) + 1

    def speedup(self, times: float = 1.0) -> float:
        """Return how many times as fast as alone a run with so many times the work is."""
        return self.alone_s * times / (self.overhead_s + self.busiest_core_s * times)


def _busiest_s(parts_s: Sequence[float], cores: int) -> float:
    """Let each part begin on the core that is free first; return the seconds until the last one has ended."""
    busy_until_s = [0.0] * cores
    for seconds in parts_s:
        heapq.heapreplace(busy_until_s, busy_until_s[0] + seconds)
    return max(busy_until_s)
