"""What arrives from a job: only new files, only in the folder, and nothing of it among what is shown."""

import base64
import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.protocol.parcel import MARK, MAX_BYTES
from workloads.runner.jobs_api.parcels import Unpacker, apart


def line(**values: Any) -> str:
    return f"\n{MARK}{json.dumps(values)}\n"


def sent(name: str, content: bytes, sha256: str | None = None) -> list[str]:
    chunk = base64.b64encode(zlib.compress(content)).decode()
    digest = sha256 or hashlib.sha256(content).hexdigest()
    return [
        line(kind="file", name=name),
        line(kind="chunk", data=chunk),
        line(kind="end", size=1, sha256=digest),
    ]


def unpack(folder: Path, *lines: str) -> Unpacker:
    unpacker = Unpacker(folder)
    assert "".join(apart([*lines, line(kind="done")], unpacker.take)) == ""
    return unpacker


@given(st.lists(st.sampled_from(["a", "\n", "piray", MARK, "p", "text\n", "piray-parcel", "{}"])), st.data())
def test_a_log_without_a_parcel_is_shown_as_it_is(words: list[str], data: st.DataObject) -> None:
    log = "".join(words).replace(f"{MARK}{{", "no")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(log)))))
    pieces = [log[a:b] for a, b in zip([0, *cuts], [*cuts, len(log)], strict=True)]
    assert "".join(apart(pieces)) == log


def test_a_line_that_has_begun_is_shown_at_once() -> None:
    assert list(apart(["10 %", " 20 %", "\n", "next"])) == ["10 %", " 20 %", "\n", "next"]


def test_nothing_of_a_parcel_is_shown() -> None:
    assert (
        "".join(apart(["before\n", *sent("a", b"x"), "after\n", "\n", line(kind="done")]))
        == "before\nafter\n\n"
    )


@pytest.mark.parametrize(
    "name", ["../out", "/etc/out", "a/../../out", "", ".", "a//b", "a/", "a\\b", "a\nb", "\x1b[2J", "\udcff"]
)
def test_a_name_that_leads_out_of_the_folder_or_is_none_is_refused(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    unpacker = unpack(folder, *sent(name, b"x"))
    assert list(tmp_path.rglob("*")) == [folder]
    assert "was not brought: its name leads out of the folder, or is none." in unpacker.finish()[0]


def test_nothing_is_written_behind_a_link(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (folder / "out").symlink_to(outside)
    (folder / "file").symlink_to(outside / "new")
    unpacker = unpack(folder, *sent("out/a", b"x"), *sent("file", b"y"))
    assert list(outside.iterdir()) == []
    assert unpacker.brought == [folder / "file.1"]
    assert "is a link, and files are not written behind one" in " ".join(unpacker.finish())


def test_a_file_that_is_there_stays_and_the_new_one_gets_a_number(tmp_path: Path) -> None:
    (tmp_path / "plot.png").write_bytes(b"old")
    (tmp_path / "plot.1.png").write_bytes(b"older")
    unpacker = unpack(tmp_path, *sent("plot.png", b"new"))
    assert (tmp_path / "plot.png").read_bytes() == b"old"
    assert (tmp_path / "plot.2.png").read_bytes() == b"new"
    assert unpacker.finish() == [
        f"brought {tmp_path}/plot.2.png",
        f"{tmp_path}/plot.png is there already and differs: what the job wrote is in {tmp_path}/plot.2.png.",
    ]


def test_a_file_that_is_there_with_the_same_content_is_enough(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    unpacker = unpack(tmp_path, *sent("a", b"same"))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert unpacker.finish() == [f"brought {tmp_path}/a"]


def test_a_damaged_file_is_not_written(tmp_path: Path) -> None:
    unpacker = unpack(tmp_path, *sent("a", b"x", sha256="0" * 64))
    assert list(tmp_path.iterdir()) == []
    assert "arrived damaged" in unpacker.finish()[0]


def test_more_than_may_be_sent_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.runner.jobs_api.parcels.MAX_BYTES", 3)
    unpack(tmp_path, *sent("a", b"1234"))
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_ends_early_is_said(tmp_path: Path) -> None:
    unpacker = Unpacker(tmp_path)
    "".join(apart(sent("a", b"x")[:2], unpacker.take))
    assert unpacker.finish() == ["not all files came: the job's log ended before."]


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    assert "it cannot be written here (File exists)" in unpack(tmp_path, *sent("out/a", b"x")).finish()[0]


def test_what_was_left_behind_is_told_with_its_reason(tmp_path: Path) -> None:
    lines = [
        line(kind="left", name="a", why=why, size=MAX_BYTES)
        for why in ("size", "link", "count", "unreadable")
    ]
    notes = unpack(tmp_path, *lines, line(kind="nothing", pattern="*.x", wrote=["a", "b"], of=12)).finish()
    assert notes[0].startswith("'a' (64.0 MiB) was not brought: all files together may have 64 MiB")
    assert notes[1] == "'a' was not brought: it is a link, or lies behind one."
    assert "1000 files" in notes[2]
    assert "cannot be read" in notes[3]
    assert notes[4] == (
        "--fetch *.x names nothing that the job wrote; in its folder it wrote 'a', 'b' and 10 more."
    )


def test_lines_of_the_jobs_own_that_look_like_a_parcel_do_no_harm(tmp_path: Path) -> None:
    strange = [
        line(kind="chunk", data=5),
        line(kind="end"),
        line(),
        line(kind="chunk", data=os.urandom(9).hex()),
    ]
    assert unpack(tmp_path, *strange).finish() == []
