"""A job's files as they are sent: by the program itself, run as on the head."""

import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from workloads.protocol import parcel
from workloads.runner.jobs_api.parcels import Unpacker, apart


def run(
    folder: Path, command: str, *patterns: str, source: str = ""
) -> tuple[int, str, list[Mapping[str, Any]]]:
    """Return how the program ended, what is shown of its log, and what its other lines say."""
    folder.mkdir(exist_ok=True)
    source = source or inspect.getsource(parcel)
    done = subprocess.run(
        [sys.executable, "-I", "-c", source, command, *patterns],
        cwd=folder,
        env={**os.environ, parcel.VARIABLE: source},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stderr, done.stderr
    told: list[Mapping[str, Any]] = []
    shown = "".join(apart([done.stdout], told.append))
    return done.returncode, shown, told


def names(told: list[Mapping[str, Any]]) -> list[str]:
    return [one["name"] for one in told if one["kind"] == "file"]


@pytest.mark.parametrize(
    ("patterns", "sent"),
    [
        (["*.txt"], ["a.txt"]),
        (["*"], ["a.txt", "b.csv", "out/c.txt", "out/deep/d.txt"]),
        (["**/*.txt"], ["a.txt", "out/c.txt", "out/deep/d.txt"]),
        (["out"], ["out/c.txt", "out/deep/d.txt"]),
        (["out/*.txt", "*.csv"], ["b.csv", "out/c.txt"]),
        (["*.txt", "a.txt"], ["a.txt"]),
    ],
)
def test_what_the_job_wrote_and_a_pattern_names_is_sent_once(
    patterns: list[str], sent: list[str], tmp_path: Path
) -> None:
    (tmp_path / "brought.txt").write_text("was there before")
    code, shown, told = run(
        tmp_path,
        "mkdir -p out/deep; for f in a.txt b.csv out/c.txt out/deep/d.txt; do echo $f > $f; done",
        *patterns,
    )
    assert (code, shown) == (0, "")
    assert names(told) == sent
    assert told[-1] == {"kind": "done"}


def test_a_file_that_was_brought_is_sent_if_the_job_has_changed_it(tmp_path: Path) -> None:
    for name in ("changed.txt", "same.txt"):
        (tmp_path / name).write_text("before")
    assert names(run(tmp_path, "echo after >> changed.txt; cat same.txt > /dev/null", "*.txt")[2]) == [
        "changed.txt"
    ]


def test_output_and_exit_status_are_those_of_the_command(tmp_path: Path) -> None:
    code, shown, told = run(tmp_path, "echo one; echo; echo two; touch x; exit 7", "x")
    assert (code, shown) == (7, "one\n\ntwo\n")
    assert names(told) == ["x"]


def test_a_signal_that_ends_the_command_ends_the_program(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
        code, _, told = run(tmp_path, f"echo {number} > x; kill -{number.value} $$", "x")
        assert code == -number
        assert names(told) == ["x"]


def test_a_command_that_is_not_there_ends_as_in_a_shell(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", inspect.getsource(parcel), "no-such-command", "x"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 127


def test_a_script_named_like_a_module_does_not_get_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('wrong module')")
    code, _, told = run(tmp_path, "touch x", "x")
    assert code == 0
    assert names(told) == ["x"]


def test_the_job_does_not_see_the_program(tmp_path: Path) -> None:
    assert run(tmp_path, f"echo ${{{parcel.VARIABLE}-unset}}", "x")[1] == "unset\n"


def test_links_are_named_and_neither_sent_nor_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key.txt").write_text("secret")
    folder = tmp_path / "job"
    told = run(
        folder, "ln -s ../secret/key.txt link.txt; ln -s ../secret out; touch a.txt", "*.txt", "out/*", "out"
    )[2]
    assert names(told) == ["a.txt"]
    left = [(one["name"], one["why"]) for one in told if one["kind"] == "left"]
    assert left == [("link.txt", "link"), ("out/key.txt", "link"), ("out", "link")]


def test_a_pattern_that_names_nothing_is_answered_with_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "brought.png").write_text("")
    told = run(tmp_path, "touch a b", "*.png")[2]
    assert {"kind": "nothing", "pattern": "*.png", "wrote": ["a", "b"], "of": 2} in told


def test_what_is_too_large_is_left_and_the_rest_is_sent(tmp_path: Path) -> None:
    source = inspect.getsource(parcel).replace("MAX_BYTES = 64 * 1024 * 1024", "MAX_BYTES = 10")
    told = run(
        tmp_path,
        "printf 1234 > a; printf 12345678901 > b; printf 123456 > c; printf 1 > d",
        "*",
        source=source,
    )[2]
    assert names(told) == ["a", "c"]
    left = [(one["name"], one["why"], one["size"]) for one in told if one["kind"] == "left"]
    assert left == [("b", "size", 11), ("d", "size", 1)]


def test_a_file_arrives_as_it_was_however_the_log_is_cut(tmp_path: Path) -> None:
    content = os.urandom(parcel.CHUNK_BYTES * 2 + 5)
    (tmp_path / "job").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "source").write_bytes(content)
    source = inspect.getsource(parcel)
    log = subprocess.run(
        [sys.executable, "-I", "-c", source, "echo begin; cp ../source copy; touch empty; printf end", "*"],
        cwd=tmp_path / "job",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    unpacker = Unpacker(tmp_path / "there")
    size = 7919
    shown = "".join(apart((log[at : at + size] for at in range(0, len(log), size)), unpacker.take))
    assert shown.rstrip("\n") == "begin\nend"
    assert (tmp_path / "there/copy").read_bytes() == content
    assert (tmp_path / "there/empty").read_bytes() == b""
    assert len(unpacker.finish()) == 1
