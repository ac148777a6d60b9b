"""What is handed out, to whom and how much at once; workers may be late, lost, or slower than was thought."""

import heapq
import random
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from workloads.mandelbrot.plan import STRIP_ROWS, Band, Plan
from workloads.scaling.schedule import CALLS_IN_HAND, MAX_BAND_PIXELS, Schedule

FOREVER = 1e9
# When, in which order, to which worker: a result, or its loss; and how long the band was computed.
Event = tuple[float, int, int, Band | None, float]


def picture(width: int, height: int) -> Plan:
    return Plan(x_grids=1, y_grids=1, grid_width=width, grid_height=height)


def even(plan: Plan) -> NDArray[np.float64]:
    return np.full(plan.height, float(plan.width))


def pixels(band: Band) -> int:
    return band.rows * band.columns


@dataclass
class World:
    """Workers that compute what a schedule gives them, each at its own speed, until the picture is there.

    Attributes:
        schedule: Hands out.
        plan: The picture.
        speeds: True pixels a second; 0 for one that hangs.
        losses: When a worker is lost.
        delay_s: A result is on its way for at most so long.
        seed: Of the delays.
    """

    schedule: Schedule
    plan: Plan
    speeds: list[float]
    losses: dict[int, float] = field(default_factory=dict)
    delay_s: float = 0.0
    seed: int = 0
    handed: list[tuple[int, Band]] = field(default_factory=list)
    wall_s: float = 0.0

    def run(self) -> NDArray[np.uint8]:
        """Return how many results of each pixel were taken."""
        taken = np.zeros((self.plan.height, self.plan.width), dtype=np.uint8)
        delays = random.Random(self.seed)
        free = [0.0] * len(self.speeds)
        held = [0] * len(self.speeds)
        events: list[Event] = [(when, -1 - worker, worker, None, 0.0) for worker, when in self.losses.items()]
        heapq.heapify(events)
        lost: set[int] = set()
        now, order = 0.0, 0
        while not self.schedule.finished:
            for _ in range(CALLS_IN_HAND + 1):
                for worker, speed in enumerate(self.speeds):
                    if (band := self.schedule.next(worker, now)) is None:
                        continue
                    assert worker not in lost
                    held[worker] += 1
                    assert held[worker] <= CALLS_IN_HAND
                    self.handed.append((worker, band))
                    seconds = pixels(band) / speed if speed else FOREVER
                    free[worker] = max(free[worker], now) + seconds
                    order += 1
                    arrival = free[worker] + delays.uniform(0.0, self.delay_s)
                    heapq.heappush(events, (arrival, order, worker, band, seconds))
            now, worker, band, seconds = self._next(events, now)
            if worker in lost or worker < 0:
                continue
            if band is None:
                lost.add(worker)
                self.schedule.lose(worker)
                continue
            held[worker] -= 1
            if self.schedule.finish(worker, band, now, seconds):
                taken[band.first : band.end, band.left : band.right] += 1
        self.wall_s = now
        return taken

    @staticmethod
    def _next(events: list[Event], now: float) -> tuple[float, int, Band | None, float]:
        """Return what happens within the next second; worker -1 for nothing."""
        if not events or events[0][0] > now + 1.0:
            return now + 1.0, -1, None, 0.0
        when, _, worker, band, seconds = heapq.heappop(events)
        return when, worker, band, seconds


@st.composite
def worlds(draw: st.DrawFn) -> World:
    plan = picture(draw(st.integers(1, 1500)), draw(st.integers(1, 400)))
    count = draw(st.integers(1, 12))
    true = [draw(st.floats(0.05, 1.0)) * plan.width * plan.height for _ in range(count)]
    known = [speed * draw(st.sampled_from([0.5, 1.0, 1.0, 10.0])) for speed in true]
    lost = draw(st.lists(st.integers(0, count - 1), max_size=count - 1, unique=True))
    losses = {worker: draw(st.floats(0.0, 3.0)) for worker in lost}
    row_work = np.array(
        draw(st.lists(st.sampled_from([1.0, 3.0, 50.0]), min_size=plan.height, max_size=plan.height))
    )
    row_work *= plan.width * plan.height / row_work.sum()
    schedule = Schedule(plan, row_work, known, draw(st.sampled_from([0.0, 1e-4, 1e-2])))
    return World(schedule, plan, true, losses, draw(st.sampled_from([0.0, 0.5])), draw(st.integers(0, 99)))


@settings(deadline=None)
@given(worlds())
def test_every_pixel_is_taken_exactly_once_whoever_is_slow_or_lost(world: World) -> None:
    assert (world.run() == 1).all()


@settings(deadline=None)
@given(worlds())
def test_a_band_is_at_most_one_message_or_one_strip(world: World) -> None:
    world.run()
    assert all(pixels(band) <= MAX_BAND_PIXELS or band.rows <= STRIP_ROWS for _, band in world.handed)


def test_a_wide_picture_is_cut_into_messages_of_bounded_size() -> None:
    plan = picture(8192, 8192)
    world = World(Schedule(plan, even(plan), [1e6], 1e-3), plan, [1e6])
    world.run()
    assert max(pixels(band) for _, band in world.handed) == MAX_BAND_PIXELS


def test_a_row_is_cut_where_there_are_too_few_rows_for_the_workers() -> None:
    plan = picture(4096, 64)
    world = World(Schedule(plan, even(plan), [1e5] * 8, 0.0), plan, [1e5] * 8)
    assert (world.run() == 1).all()
    assert all(band.columns < plan.width for _, band in world.handed)
    assert {worker for worker, _ in world.handed} == set(range(8))


def test_bands_get_smaller_to_the_end() -> None:
    plan = picture(1000, 8000)
    world = World(Schedule(plan, even(plan), [1e6] * 4, 1e-4), plan, [1e6] * 4)
    world.run()
    # A band may also be handed out a second time; the last one is what is left.
    rows = [band.rows for band in dict.fromkeys(band for _, band in world.handed)][:-1]
    assert rows[0] > 10 * rows[-1]
    assert all(later <= earlier + STRIP_ROWS for earlier, later in zip(rows, rows[1:], strict=False))
    assert len(rows) < 100


def test_a_band_is_worth_its_call() -> None:
    plan, call_s = picture(1000, 8000), 0.01
    world = World(Schedule(plan, even(plan), [1e6] * 2, call_s), plan, [1e6] * 2)
    world.run()
    fresh = list(dict.fromkeys(band for _, band in world.handed))
    # All but what is left in the end; a strip less, for bands are whole strips.
    assert all(pixels(band) / 1e6 >= 20 * call_s - STRIP_ROWS * 1e-3 for band in fresh[:-1])


def test_a_slow_worker_gets_less() -> None:
    plan = picture(1000, 8000)
    schedule = Schedule(plan, even(plan), [4e6, 1e6], 1e-4)
    fast, slow = schedule.next(0, 0.0), schedule.next(1, 0.0)
    assert fast is not None
    assert slow is not None
    # The second one is a part of what the first one left.
    assert 5.0 < fast.rows / slow.rows < 8.0


def test_a_worker_that_turns_out_slower_gets_less_from_then_on() -> None:
    plan = picture(1000, 8000)
    world = World(Schedule(plan, even(plan), [1e6, 1e6], 1e-4), plan, [1e6, 1e5])
    world.run()
    done = [sum(pixels(band) for who, band in world.handed if who == worker) for worker in (0, 1)]
    assert done[1] < done[0] / 3
    assert world.wall_s < 1.15 * plan.width * plan.height / 1.1e6


def test_a_lost_workers_bands_come_first() -> None:
    plan = picture(100, 800)
    schedule = Schedule(plan, even(plan), [1.0, 1.0], 0.0)
    lost = [schedule.next(0, 0.0), schedule.next(0, 0.0)]
    schedule.lose(0)
    assert [schedule.next(1, 1.0), schedule.next(1, 1.0)] == lost
    assert schedule.next(0, 1.0) is None


def test_a_result_that_arrives_after_its_workers_loss_still_counts() -> None:
    plan = picture(100, 2 * STRIP_ROWS)
    schedule = Schedule(plan, even(plan), [1.0, 1.0], 0.0)
    done, lost = schedule.next(0, 0.0), schedule.next(0, 0.0)
    assert done is not None
    schedule.lose(0)
    assert schedule.finish(0, done, 1.0, 1.0)
    assert not schedule.finish(0, done, 1.0, 1.0)
    assert schedule.next(1, 1.0) == lost
    assert schedule.next(1, 1.0) is None


def test_a_band_that_somebody_else_still_computes_is_not_given_back() -> None:
    plan = picture(100, STRIP_ROWS)
    schedule = Schedule(plan, even(plan), [1e2, 1e2], 0.0)
    band = schedule.next(0, 0.0)
    assert band == Band(0, STRIP_ROWS, 0, 100)
    assert schedule.next(1, 1e3) == band
    schedule.lose(0)
    assert schedule.next(1, 1e4) is None
    assert schedule.finish(1, band, 1e4, 9e3)
    assert schedule.finished


def test_a_worker_that_hangs_is_overtaken_by_copies() -> None:
    plan = picture(1000, 8000)
    world = World(Schedule(plan, even(plan), [1e6] * 4, 1e-4), plan, [1e6, 1e6, 1e6, 0.0])
    assert (world.run() == 1).all()
    # Three did it all, and lost time only until they found out.
    assert world.wall_s < 2.5 * plan.width * plan.height / 3e6
    copies = [band for who, band in world.handed if who != 3 and (3, band) in world.handed]
    assert len(copies) == CALLS_IN_HAND


def test_the_result_that_comes_second_is_not_taken() -> None:
    plan = picture(100, STRIP_ROWS)
    schedule = Schedule(plan, even(plan), [1e2, 1e2], 0.0)
    band = schedule.next(0, 0.0)
    assert band is not None
    assert schedule.next(1, 1e3) == band
    assert schedule.finish(1, band, 1.1e3, 10.0)
    assert not schedule.finish(0, band, 1.2e3, 1.2e3)


@pytest.mark.parametrize(("elapsed", "copied"), [(0.0, False), (4.0, False), (12.0, False), (30.0, True)])
def test_a_band_is_copied_only_if_it_would_be_there_earlier(elapsed: float, copied: bool) -> None:
    plan = picture(100, STRIP_ROWS)
    # Eight seconds for either of the two.
    schedule = Schedule(plan, even(plan), [1e2, 1e2], 0.0)
    band = schedule.next(0, 0.0)
    assert schedule.next(1, elapsed) == (band if copied else None)


def test_a_fast_worker_copies_what_a_slow_one_has_just_begun() -> None:
    plan = picture(100, STRIP_ROWS)
    schedule = Schedule(plan, even(plan), [1e2, 1e3], 0.0)
    band = schedule.next(0, 0.0)
    assert schedule.next(1, 0.1) == band


def test_nothing_is_copied_while_there_is_something_new() -> None:
    plan = picture(100, 800)
    schedule = Schedule(plan, even(plan), [1.0, 1.0], 0.0)
    late = schedule.next(0, 0.0)
    assert schedule.next(1, 1e6) not in {late, None}
