"""Decides which part of a picture a worker computes next, and how much at once.

Workers pull: a fast one gets more. A band is a share of what is left, so that few calls are made at first and
small ones at the end, and never less than what makes its call worth while. Knows neither Ray nor a clock: the
same object serves real workers (`crew`) and simulated ones (`simulation`).

Sources of the sizes: Polychronopoulos and Kuck, Guided self-scheduling, IEEE Trans. Computers 36 (1987); the
half from Hummel, Schonberg and Flynn, Factoring, Comm. ACM 35 (1992).
"""

import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from workloads.mandelbrot.plan import STRIP_ROWS, Band, Plan

# The next call waits at the worker while it computes, so that it never idles for the network.
CALLS_IN_HAND = 2
# A narrower part of a row costs the kernel more for each pixel.
LEAST_COLUMNS = 256
# A band is this part of a worker's share of what is left.
PART_OF_SHARE = 1 / 2
# Strips for each worker: with fewer the last band keeps the others waiting; then rows are cut into columns.
STRIPS_PER_WORKER = 32
# A call may cost a fortieth of its band, and the calls of all workers as much as the driver can do. On a
# machine whose cores all compute a call costs some four times what idle actors need.
LEAST_CALLS = 40
# A result stays small enough to be sent while the next one is computed.
MAX_BAND_PIXELS = 2**23
# A copy of a late band is worth while if it would be there in this part of the time that is left.
WORTH_A_COPY = 2 / 3


@dataclass
class _Held:
    """A band in a worker's hand, and since when it has been computing it."""

    band: Band
    work: float
    since: float


@dataclass
class _Hand:
    """What a worker holds, in the order it computes it, and how fast it is."""

    speed: float
    held: list[_Held] = field(default_factory=list)


class Schedule:
    """Hands out the bands of one picture.

    Args:
        plan: The picture.
        row_work: Work of each row, in any unit, shape (plan.height,), above 0.
        speeds: Work each worker does in a second; corrected by its results.
        call_s: Seconds a call costs beside its work.
    """

    def __init__(
        self, plan: Plan, row_work: NDArray[np.float64], speeds: Sequence[float], call_s: float
    ) -> None:
        strips = np.add.reduceat(row_work, np.arange(0, plan.height, STRIP_ROWS))
        self._plan, self._strips = plan, strips.size
        wanted = -(-STRIPS_PER_WORKER * len(speeds) // strips.size)
        self._parts = max(1, min(wanted, plan.width // LEAST_COLUMNS))
        units = np.tile(strips / self._parts, self._parts)
        self._before = np.concatenate(([0.0], np.cumsum(units)))
        self._next = 0
        self._returned: deque[Band] = deque()
        self._hands = [_Hand(speed) for speed in speeds]
        self._alive = set(range(len(speeds)))
        # Kept up to date, for a thousand nodes ask often: the speed of all, who holds what, who is how late.
        self._speed = float(sum(speeds))
        self._holders: Counter[Band] = Counter()
        self._asked = -math.inf
        self._late_bands: list[tuple[float, float, Band]] = []
        self._least_work = 0.0
        self._pixels_left = plan.width * plan.height
        self._done: set[Band] = set()
        # The last band of a small picture may not take longer than the calls for all its bands.
        alone_s = float(self._before[-1]) * len(speeds) / self._speed
        self._least_s = min(call_s * max(LEAST_CALLS, len(speeds)), math.sqrt(alone_s * call_s))

    @property
    def finished(self) -> bool:
        """Whether every band has been computed."""
        return self._pixels_left == 0

    @property
    def speeds(self) -> list[float]:
        """Work each worker does in a second, as far as it is known by now."""
        return [hand.speed for hand in self._hands]

    def next(self, worker: int, now: float) -> Band | None:
        """Return what a worker is to compute beside what it holds; None for nothing at the moment.

        Args:
            worker: Its index.
            now: Seconds on any clock that never goes back.
        """
        hand = self._hands[worker]
        if worker not in self._alive or len(hand.held) >= CALLS_IN_HAND:
            return None
        band = self._fresh(hand)
        if band is None and not hand.held:
            band = self._late(worker, now)
        if band is not None:
            hand.held.append(_Held(band, self._work(band), now))
            self._holders[band] += 1
        return band

    def finish(self, worker: int, band: Band, now: float, seconds: float) -> bool:
        """Take note of a result.

        Args:
            worker: Who computed it.
            band: What.
            now: As in `next`.
            seconds: How long it computed.

        Returns:
            Whether it is the first result of this band.
        """
        hand = self._hands[worker]
        held = next((one for one in hand.held if one.band == band), None)
        if held is None:
            # The worker was lost meanwhile, but its result had been on the way already.
            return self._first(band)
        hand.held.remove(held)
        self._holders[band] -= 1
        if hand.held:
            hand.held[0].since = now
        change = (held.work / max(seconds, 1e-9) - hand.speed) / 2
        hand.speed += change
        self._speed += change
        return self._first(band)

    def _first(self, band: Band) -> bool:
        """Take note that a band is there; return whether it had not been."""
        if band in self._done:
            return False
        if band in self._returned:
            self._returned.remove(band)
        self._done.add(band)
        self._pixels_left -= band.rows * band.columns
        return True

    def lose(self, worker: int) -> None:
        """Give what a lost worker held to the others; it gets nothing any more."""
        if worker not in self._alive:
            return
        self._alive.discard(worker)
        hand = self._hands[worker]
        self._speed -= hand.speed
        held, hand.held = hand.held, []
        for one in held:
            self._holders[one.band] -= 1
            if not self._holders[one.band] and one.band not in self._done:
                self._returned.append(one.band)

    def _fresh(self, hand: _Hand) -> Band | None:
        """Return a band that nobody holds, sized for a worker."""
        if self._returned:
            return self._returned.popleft()
        units = self._strips * self._parts
        if self._next == units:
            return None
        first, part = self._next, self._next // self._strips
        left_s = (self._before[units] - self._before[first]) / self._speed
        work = max(self._least_s, left_s * PART_OF_SHARE) * hand.speed
        end = int(np.searchsorted(self._before, self._before[first] + work, side="right")) - 1
        columns = [self._plan.width * side // self._parts for side in (part, part + 1)]
        most = max(1, MAX_BAND_PIXELS // (STRIP_ROWS * (columns[1] - columns[0])))
        end = min(max(end, first + 1), first + most, (part + 1) * self._strips)
        self._next = end
        top, bottom = (STRIP_ROWS * (unit - part * self._strips) for unit in (first, end))
        return Band(top, min(bottom, self._plan.height), *columns)

    def _late(self, worker: int, now: float) -> Band | None:
        """Return the band that will be there last of those that this worker would have clearly earlier."""
        if now != self._asked:
            self._asked, self._late_bands = now, self._uncopied(now)
            self._least_work = min((work for _, work, _ in self._late_bands), default=0.0)
        speed = self._hands[worker].speed
        for wait, work, band in self._late_bands:
            if self._least_work / speed >= wait * WORTH_A_COPY:
                break
            if work / speed < wait * WORTH_A_COPY and self._holders[band] == 1 and band not in self._done:
                return band
        return None

    def _uncopied(self, now: float) -> list[tuple[float, float, Band]]:
        """Return what one worker alone holds, latest first: seconds until it is there, work, band."""
        found = []
        for worker in self._alive:
            hand, wait = self._hands[worker], 0.0
            for held in hand.held:
                wait += self._left_s(held, hand, now)
                if self._holders[held.band] == 1 and held.band not in self._done:
                    found.append((wait, held.work, held.band))
        return sorted(found, key=lambda one: one[0], reverse=True)

    @staticmethod
    def _left_s(held: _Held, hand: _Hand, now: float) -> float:
        """Estimate how long a worker still needs for a band; one that is late may be late as long again."""
        needed = held.work / hand.speed
        if held is not hand.held[0]:
            return needed
        elapsed = now - held.since
        return abs(needed - elapsed)

    def _work(self, band: Band) -> float:
        part = (band.left * self._parts + self._plan.width - 1) // self._plan.width
        first = part * self._strips + band.first // STRIP_ROWS
        end = part * self._strips + -(-band.end // STRIP_ROWS)
        return float(self._before[end] - self._before[first])
