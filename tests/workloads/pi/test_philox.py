"""Counts of samples: streams, positions and errors, whoever counts them."""

import itertools
import math
import statistics

import numpy as np
import pytest

from workloads.pi import philox
from workloads.pi.estimate import Estimate
from workloads.pi.kernel import count_inside
from workloads.pi.philox import BATCH_SAMPLES, count_arrays
from workloads.pi.reference import count_inside_python

SAMPLES = 200_000


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
@pytest.mark.parametrize("stream", [0, 1, 2])
def test_the_estimate_is_within_four_standard_errors(seed: int, stream: int) -> None:
    assert Estimate(SAMPLES, count_inside(SAMPLES, seed, stream)).deviation < 4


def test_pure_python_is_within_four_standard_errors() -> None:
    assert Estimate(SAMPLES, count_inside_python(SAMPLES, 0, 0)).deviation < 4


def test_the_standard_error_is_the_spread_of_many_streams() -> None:
    estimates = [Estimate(1000, count_inside(1000, 7, stream)) for stream in range(400)]
    spread = statistics.stdev(part.estimate for part in estimates)
    # The standard deviation of 400 normal values is known to 1 / sqrt(800), about 3.5 %.
    assert spread == pytest.approx(estimates[0].standard_error, rel=4 / math.sqrt(800))
    assert Estimate.merge(estimates).deviation < 4


def running_counts(seed: int, stream: int) -> tuple[int, ...]:
    """Two streams may well agree in one count; hardly in a hundred."""
    return tuple(count_inside(samples, seed, stream) for samples in range(10, 1010, 10))


def test_the_same_stream_gives_the_same_counts_and_others_do_not() -> None:
    streams = list(itertools.product((0, 1, 2, 2**64 - 1), (0, 1, 2, 2**64 - 1)))
    counts = [running_counts(seed, stream) for seed, stream in streams]
    assert counts == [running_counts(seed, stream) for seed, stream in streams]
    assert len(set(counts)) == len(counts)


def test_streams_are_uncorrelated() -> None:
    first = [count_inside(500, 1, stream) for stream in range(300)]
    second = [count_inside(500, 2, stream) for stream in range(300)]
    assert abs(statistics.correlation(first, second)) < 4 / math.sqrt(300)
    assert abs(statistics.correlation(first[:-1], first[1:])) < 4 / math.sqrt(299)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_its_published_words(
    counter: tuple[int, ...], key: tuple[int, ...], words: tuple[int, ...]
) -> None:
    """Source: tests/kat_vectors of DEShawResearch/random123 at 9545ff6, lines `philox4x32 10`."""
    c0, c1, c2, c3 = (np.uint64(word) for word in counter)
    found = philox.random_words((c0, c1, c2, c3), key[1] << 32 | key[0])
    assert tuple(int(word) & 0xFFFFFFFF for word in found) == words


def test_the_count_is_that_of_points_made_one_by_one() -> None:
    seed, stream, samples = 2**63 + 12345, 2**40 + 3, 101
    inside = 0
    for sample in range(samples):
        counter = [np.uint64(word) for word in (sample // 2, 0, stream % 2**32, stream >> 32)]
        words = philox.random_words((counter[0], counter[1], counter[2], counter[3]), seed)
        x, y = (int(word) % 2**32 for word in words[2 * (sample % 2) :][:2])
        inside += x**2 + y**2 < 2**64
    assert count_inside(samples, seed, stream) == inside


def test_positions_beyond_32_bits_do_not_repeat() -> None:
    near, far = ([count_arrays(at + k, at + k + 40, 1, 2) for k in range(0, 400, 40)] for at in (0, 2**33))
    assert near != far


@pytest.mark.parametrize("batch", [2, 14, 1000])
def test_the_count_does_not_depend_on_the_batch(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = count_inside(3001, 5, 6)
    monkeypatch.setattr(philox, "BATCH_SAMPLES", batch)
    assert count_inside(3001, 5, 6) == expected


def test_more_samples_of_a_stream_begin_with_the_fewer() -> None:
    counts = [count_inside(samples, 0, 0) for samples in range(BATCH_SAMPLES - 2, BATCH_SAMPLES + 3)]
    assert all(0 <= after - before <= 1 for before, after in itertools.pairwise(counts))


def test_no_samples_are_no_count() -> None:
    assert count_inside(0, 0, 0) == 0


@pytest.mark.parametrize("count", [count_inside, count_inside_python])
def test_arguments_out_of_range_are_all_listed(count: object) -> None:
    assert callable(count)
    with pytest.raises(ValueError, match="samples is -1") as caught:
        count(-1, 2**64, -3)
    assert [line.split(" is ")[0] for line in str(caught.value).splitlines()] == ["samples", "seed", "stream"]
