"""Counts, streams and errors of the estimate; the pod's program as a process of its own."""

import itertools
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import ir

from bench.arm64.code import assembly
from workloads.pi import pod
from workloads.pi.pod import BATCH_SAMPLES, MAX_SAMPLES, Estimate, Layout, count_inside, count_inside_python

PROGRAM = Path(pod.__file__)
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
    found = pod._philox((c0, c1, c2, c3), key[1] << 32 | key[0])
    assert tuple(int(word) & 0xFFFFFFFF for word in found) == words


def test_the_count_is_that_of_points_made_one_by_one() -> None:
    seed, stream, samples = 2**63 + 12345, 2**40 + 3, 101
    inside = 0
    for sample in range(samples):
        counter = [np.uint64(word) for word in (sample // 2, 0, stream % 2**32, stream >> 32)]
        words = pod._philox((counter[0], counter[1], counter[2], counter[3]), seed)
        x, y = (int(word) % 2**32 for word in words[2 * (sample % 2) :][:2])
        inside += x**2 + y**2 < 2**64
    assert count_inside(samples, seed, stream) == inside


spans = st.tuples(st.integers(0, MAX_SAMPLES // 2**33), st.integers(0, 2**32 - 1)).map(
    lambda span: 2 * (span[0] << 32 | span[1])
)


@given(spans, st.integers(1, 999), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_numpy_and_numba_count_alike(first: int, samples: int, seed: int, stream: int) -> None:
    arguments = (first, min(first + samples, ((first >> 33) + 1) << 33), seed, stream)
    assert pod._count_arrays(*arguments) == pod._count_vectors(pod._layout())(*arguments)


@pytest.mark.parametrize(
    "layout", [Layout(4, 32), Layout(8, 32, 3), Layout(2, 64), Layout(4, 64), Layout(8, 64, 1)]
)
@pytest.mark.parametrize("first", [0, 2**34 - 2000, 2**34])
def test_the_count_is_the_same_however_words_lie_in_vectors(layout: Layout, first: int) -> None:
    arguments = (first, first + 1999, 2**63 + 12345, 2**40 + 3)
    assert pod._count_vectors(layout)(*arguments) == pod._count_arrays(*arguments)


@pytest.mark.parametrize(
    ("cpu", "features", "register"),
    [("haswell", {"avx2": True}, "ymm"), ("skylake-avx512", {"avx512f": True}, "zmm")],
)
def test_words_are_multiplied_in_whole_vectors(cpu: str, features: dict[str, bool], register: str) -> None:
    module, layout = ir.Module("pi"), pod.layout_for(features)
    pod.define_count(module, "count", layout).linkage = "external"
    text = assembly(module, cpu, "x86_64-unknown-linux-gnu")
    products = re.findall(rf"vpmuludq.*%{register}\d+$", text, re.MULTILINE)
    # A round of all vectors in flight, and the squares.
    assert len(products) >= (2 + 4) * layout.vectors
    assert not re.findall(r"\bi?mulq?\s", text)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="tells Numba the name of an x86 processor")
def test_vectors_are_those_that_numba_is_told_to_compile_for() -> None:
    program = "from workloads.pi import pod; print(pod._layout(), pod.count_inside(3001, 5, 6))"
    told = {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": "+sse4.2,-avx2,-avx512f"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{Layout(4, 32)} {count_inside(3001, 5, 6)}\n"


def test_no_batch_holds_blocks_whose_numbers_differ_in_the_upper_word() -> None:
    assert 2**33 % BATCH_SAMPLES == 0
    with pytest.raises(AssertionError):
        pod._count_vectors(pod._layout())(2**33 - 2, 2**33 + 2, 0, 0)


def test_without_numba_the_counts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = count_inside(3001, 5, 6)
    monkeypatch.setattr(pod, "njit", None)
    monkeypatch.setattr(pod, "ARRAY_SAMPLES", 64)
    assert count_inside(3001, 5, 6) == expected


def test_positions_beyond_32_bits_do_not_repeat() -> None:
    near, far = (
        [pod._count_arrays(at + k, at + k + 40, 1, 2) for k in range(0, 400, 40)] for at in (0, 2**33)
    )
    assert near != far


@pytest.mark.parametrize("batch", [2, 14, 1000])
def test_the_count_does_not_depend_on_the_batch(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = count_inside(3001, 5, 6)
    monkeypatch.setattr(pod, "BATCH_SAMPLES", batch)
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


def test_known_counts_have_known_estimates() -> None:
    result = Estimate(1_000_000, 785_398)
    assert result.estimate == 3.141592
    assert result.standard_error == pytest.approx(4 * math.sqrt(math.pi / 4 * (1 - math.pi / 4) / 1e6))
    assert result.deviation == pytest.approx(abs(3.141592 - math.pi) / 0.00164218, rel=1e-5)


counts = st.lists(
    st.integers(1, 10**9).flatmap(lambda n: st.builds(Estimate, st.just(n), st.integers(0, n))), min_size=1
)


@given(counts, st.randoms(use_true_random=False))
def test_merging_does_not_depend_on_the_order(parts: list[Estimate], random: object) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types it as Random of its own
    whole = Estimate.merge(parts)
    assert Estimate.merge(shuffled) == whole
    assert Estimate.merge([Estimate.merge(parts[:1]), *parts[1:]]) == whole
    assert whole.samples == sum(part.samples for part in parts)


@pytest.mark.parametrize(("samples", "num_inside"), [(0, 0), (10, 11), (10, -1)])
def test_impossible_counts_are_refused(samples: int, num_inside: int) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Estimate(samples, num_inside)


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Estimate.merge([])


def run_program(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the file alone, as the pod does: nothing of the project on its path."""
    program = folder / "pi.py"
    program.write_bytes(PROGRAM.read_bytes())
    return subprocess.run(
        [sys.executable, "-I", str(program)],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_pod_leaves_its_count_in_the_termination_message(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    done = run_program(
        tmp_path,
        PIRAY_PI_SAMPLES="100000",
        PIRAY_PI_SEED="4",
        JOB_COMPLETION_INDEX="2",
        PIRAY_TERMINATION_LOG=str(log),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("index 2: pi is about 3.1")
    assert done.stdout.count("\n") == 1
    text = log.read_text()
    assert text.count("\n") == 1
    message = json.loads(text)
    assert message.pop("wall_s") > 0
    assert message == {"index": 2, "samples": 100_000, "num_inside": count_inside(100_000, 4, 2)}


def test_the_longest_message_fits_in_kubernetes() -> None:
    message = pod._message(2**64 - 1, Estimate(10**12, 10**12), 1e9)
    assert len(message.encode()) <= 4096


def test_a_wrong_environment_is_listed_whole_with_exit_code_2(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    done = run_program(tmp_path, PIRAY_PI_SAMPLES="0", PIRAY_PI_SEED="seven", PIRAY_TERMINATION_LOG=str(log))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "PIRAY_PI_SAMPLES is '0': set it to a whole number from 1 to 1000000000000.",
        "PIRAY_PI_SEED is 'seven': set it to a whole number from 0 to 18446744073709551615.",
        "JOB_COMPLETION_INDEX is not set: set it to a whole number from 0 to 18446744073709551615.",
    ]
    assert not log.exists()


@pytest.mark.parametrize("text", ["-1", "1.5", "", " 1", "٣", "9" * 5000, "1e6"])
def test_only_plain_whole_numbers_are_numbers(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"PIRAY_PI_SAMPLES": text, "PIRAY_PI_SEED": "0", "JOB_COMPLETION_INDEX": "0"}
    assert pod.main(environment) == 2
    assert capsys.readouterr().err.startswith("PIRAY_PI_SAMPLES is ")


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = run_program(
        tmp_path,
        PIRAY_PI_SAMPLES="10",
        PIRAY_PI_SEED="0",
        JOB_COMPLETION_INDEX="0",
        PIRAY_TERMINATION_LOG=str(tmp_path / "missing" / "log"),
    )
    assert done.returncode == 1
    assert "Set PIRAY_TERMINATION_LOG to a file that can be written." in done.stderr
    assert "Traceback" not in done.stderr
