"""The program of one index, as a process of its own that has what is mounted into the pod, and no more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.pi_job.manifest import PROGRAM_FILES
from workloads.pi import philox, pod
from workloads.pi.estimate import Estimate
from workloads.pi.kernel import count_inside

ROOT = Path(__file__).resolve().parents[3]


def test_without_numba_the_counts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod, "codegen", None)
    monkeypatch.setattr(philox, "ARRAY_SAMPLES", 64)
    count = pod.fastest_count()
    assert count is philox.count_arrays
    assert philox.count_inside(3001, 5, 6, count) == count_inside(3001, 5, 6)


def run_program(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the program's files alone: nothing else of the project can be imported."""
    for file in PROGRAM_FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes((ROOT / file).read_bytes())
    return subprocess.run(
        [sys.executable, "-m", "workloads.pi.pod"],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
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
