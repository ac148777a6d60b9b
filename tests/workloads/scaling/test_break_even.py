"""From what size on more cores pay: parts that are faster, slower, one alone, and waiting that dominates."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.scaling.break_even import SharedRun, pays_from_s

seconds = st.floats(1e-3, 1e3)


def test_sharing_pays_once_it_saves_what_it_costs() -> None:
    # A work of 4 s takes 1 s on four cores, and 3 s beside.
    assert pays_from_s(3.0, gain=4.0) == pytest.approx(4.0)
    assert pays_from_s(-0.1, gain=4.0) == 0


@pytest.mark.parametrize("gain", [0.5, 1.0])
def test_sharing_never_pays_where_the_work_itself_is_no_faster(gain: float) -> None:
    assert pays_from_s(1.0, gain) is None


def test_pods_that_are_faster_together_pay_from_some_size_on() -> None:
    run = SharedRun(alone_s=3.0, wall_s=6.0, parts_s=(1.5, 1.4, 1.5), at_once=3)
    assert (run.busiest_core_s, run.overhead_s, run.gain) == (1.5, 4.5, 2.0)
    assert run.computing_s == pytest.approx(4.4)
    # Three times the work: 9 s alone, and 4.5 s with 4.5 s of starting and waiting.
    assert run.pays_from == pytest.approx(3.0)
    assert run.speedup() == pytest.approx(0.5)
    assert run.speedup(3.0) == pytest.approx(1.0)
    assert run.speedup(1e9) == pytest.approx(2.0)


def test_pods_that_are_slower_together_never_pay_and_more_of_them_would() -> None:
    run = SharedRun(alone_s=1.0, wall_s=9.0, parts_s=(2.0, 2.0, 2.0), at_once=3)
    assert run.pays_from is None
    # Six are as fast as the one.
    assert run.cores_to_pay == 7


def test_one_pod_like_the_core_alone_is_not_said_to_be_faster_for_a_scatter() -> None:
    assert SharedRun(alone_s=1.05, wall_s=3.0, parts_s=(1.0,), at_once=1).pays_from is None
    assert SharedRun(alone_s=2.0, wall_s=3.0, parts_s=(1.0,), at_once=1).pays_from == pytest.approx(2.0)


def test_waiting_that_dominates_asks_for_more_work_in_proportion() -> None:
    short, long = (SharedRun(0.075, wall_s, (0.05,) * 3, 3) for wall_s in (1.05, 10.05))
    assert short.pays_from is not None
    assert long.pays_from == pytest.approx(10 * short.pays_from)


def test_parts_that_take_turns_do_not_count_as_waiting() -> None:
    run = SharedRun(alone_s=8.0, wall_s=4.5, parts_s=(1.0,) * 8, at_once=2)
    assert (run.cores, run.busiest_core_s, run.overhead_s) == (2, 4.0, 0.5)
    assert SharedRun(8.0, 8.5, (1.0,) * 8, 1).busiest_core_s == 8.0
    assert SharedRun(8.0, 1.5, (1.0,) * 8, 100).cores == 8


def test_the_next_part_begins_on_the_core_that_is_free_first() -> None:
    assert SharedRun(1.0, 9.0, (5.0, 1.0, 1.0, 1.0, 1.0), 2).busiest_core_s == 5.0


def test_clocks_that_disagree_make_no_negative_waiting() -> None:
    run = SharedRun(alone_s=4.0, wall_s=0.9, parts_s=(1.0,), at_once=1)
    assert (run.overhead_s, run.pays_from) == (0.0, 0.0)


@given(seconds, seconds, st.lists(seconds, min_size=1, max_size=9), st.integers(1, 9))
def test_where_it_begins_to_pay_both_are_equally_fast(
    alone_s: float, overhead_s: float, parts_s: list[float], at_once: int
) -> None:
    run = SharedRun(alone_s, math.fsum(parts_s) + overhead_s, tuple(parts_s), at_once)
    if run.pays_from is not None:
        assert run.speedup(run.pays_from) == pytest.approx(1.0)
        assert run.speedup(2 * run.pays_from) > 1
    else:
        assert run.speedup(1e12) < 1.2
