"""The π computation as a reader sees it."""

from typing import Any

import pytest

from tests.workloads.results.made import flat, pi_result, shown
from workloads.results.pi_records import PiPart, PiResult


def test_pi_is_shown_with_its_error_and_its_pods() -> None:
    text = shown(pi_result(python_s=30.0))
    for index in range(3):
        expected = f"{index} pi{index} pi-1a2b3c4d-{index}-x7k2p 1000000 {785_000 + index} 0.700"
        assert expected.split() in [line.split() for line in text.splitlines()]
    assert (
        "pi is about 3.1400040 +- 0.0009481 (3000000 samples, 2355003 inside): 1.68 standard errors"
        in flat(text)
    )
    assert "3 streams on 3 nodes: 2.00 s from the first start to the last end" in flat(text)
    assert "one core of this machine: 3.00 s, in pure Python 30.00 s (speed-up 1.50)" in flat(text)


def test_without_pods_there_is_no_column_for_them() -> None:
    parts = (PiPart(index=0, samples=100, num_inside=78, wall_s=0.1, node="laptop", pod=None),)
    text = shown(pi_result(parts=parts))
    assert "Pod" not in text
    assert "1 stream on 1 node:" in flat(text)


def timed(
    *parts_s: float, alone_s: float, wall_s: float = 4.0, samples: int = 10_000_000, **changes: Any
) -> PiResult:
    """Return a result of pods that computed for so many seconds."""
    parts = tuple(
        PiPart(
            index=index,
            samples=samples,
            num_inside=samples * 3 // 4,
            wall_s=part_s,
            node=f"pi{index}",
            pod=f"pi-{index}",
        )
        for index, part_s in enumerate(parts_s)
    )
    return pi_result(**{"parts": parts, "wall_s": wall_s, "single_core_s": alone_s, **changes})


def test_computing_is_told_from_waiting() -> None:
    result = timed(0.2, 0.3, 0.25, alone_s=0.075)
    lines = [" ".join(line.split()) for line in shown(result).splitlines()]
    assert "Computing, 3 pods 0.750" in lines
    assert "Computing, the busiest of 3 cores 0.300" in lines
    assert "Starting and waiting 3.70" in lines
    assert "From the first start to the last end 4.00" in lines
    values = result.to_dict()
    assert values["computing_s"] == pytest.approx(0.75)
    assert (values["busiest_core_s"], values["overhead_s"]) == (0.3, 3.7)


def test_a_single_pod_has_one_computing_time() -> None:
    text = shown(timed(0.5, alone_s=0.025))
    assert "Computing, 1 pod" in text
    assert "busiest" not in text


def test_a_small_speed_up_keeps_its_digits() -> None:
    text = flat(shown(timed(0.05, 0.05, 0.05, alone_s=0.075)))
    assert "(speed-up 0.019)" in text
    assert "0.00)" not in text


def test_from_how_many_samples_on_the_pods_pay_is_said_with_what_to_try() -> None:
    result = timed(0.05, 0.05, 0.05, alone_s=0.075)
    text = flat(shown(result))
    assert "From about 4.7 x 10^9 samples on, these 3 pods are faster than one core of this machine" in text
    assert "they count 6 x 10^8 samples a second, that core 4 x 10^8" in text
    assert "starting and waiting takes 3.95 s here. This run has 3 x 10^7." in text
    assert "Try --samples 7000000000, or piJob.samples: 7000000000" in text
    assert "about 1.35 times as fast" in text
    assert result.to_dict()["pays_from_samples"] == pytest.approx(4_740_000_000)


def test_a_run_that_pays_is_not_told_to_grow() -> None:
    text = flat(shown(timed(5.0, 5.0, 5.0, alone_s=15.0, wall_s=6.0, samples=10**9)))
    assert "From about 3 x 10^8 samples on, these 3 pods are faster" in text
    assert "Try --samples" not in text


def test_pods_that_count_more_slowly_are_said_never_to_pay_and_why() -> None:
    result = timed(0.2, 0.2, 0.2, alone_s=0.075)
    text = flat(shown(result))
    assert "No number of samples makes these 3 pods clearly faster than one core of this machine" in text
    assert "they count 1.5 x 10^8 samples a second, that core 4 x 10^8" in text
    assert "About 9 such cores would be, all computing at once." in text
    assert result.to_dict()["pays_from_samples"] is None


def test_a_slow_pod_among_fast_ones_is_what_keeps_them_from_paying() -> None:
    text = flat(shown(timed(1.0, 1.0, 1.0, 1.0, 4.0, alone_s=4.0, wall_s=5.0)))
    assert "clearly faster than one core of this machine" in text
    assert "The slowest of them keeps the others waiting." in text


def test_one_pod_is_spoken_of_as_one() -> None:
    assert "this pod clearly faster than one core of this machine: it counts" in flat(
        shown(timed(0.5, alone_s=0.025))
    )
    assert "samples on, this pod is faster" in flat(shown(timed(0.5, alone_s=1.0)))


def test_more_samples_than_a_stream_may_have_are_not_advised() -> None:
    text = flat(shown(timed(0.05, 0.05, 0.05, alone_s=0.075, wall_s=4000.0)))
    assert "raise --completions, or piJob.completions" in text
    assert "Try --samples" not in text


def test_tasks_that_took_turns_are_counted_by_the_cores_they_had() -> None:
    parts = tuple(
        PiPart(index=index, samples=100, num_inside=78, wall_s=1.0, node="here", pod=None)
        for index in range(6)
    )
    text = flat(shown(pi_result(parts=parts, wall_s=3.0, single_core_s=6.0, at_once=2)))
    assert "Computing, 6 tasks 6.00" in text
    assert "Computing, the busiest of 2 cores 3.00" in text
    assert "With any number of samples, these 6 tasks are faster" in text
