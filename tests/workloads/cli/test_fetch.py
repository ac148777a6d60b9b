"""Files that a job writes, brought back from a real head."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.workloads.cli.commands import ended, start
from tests.workloads.runner.fake_kubernetes import behind_kubernetes
from workloads.protocol.parcel import MARK

Piray = Callable[..., "subprocess.Popen[str]"]
# A cluster where nobody answers.
NOWHERE = {
    **{"contractVersion": 1, "platform": "local", "rayVersion": "2.60.0", "rayToken": "0" * 64, "workers": 0},
    "dashboardUrl": "http://127.0.0.1:9",
}


class Head(Protocol):
    url: str

    def outputs(self, **changes: Any) -> str: ...


@pytest.mark.ray
def test_files_of_a_script_that_fails_come_back_and_are_not_seen_in_its_output(
    piray: Piray, tmp_path: Path
) -> None:
    picture = os.urandom(300_000)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/picture.bin").write_bytes(picture)
    (tmp_path / "project/job.py").write_text(
        "import pathlib, shutil, sys\n"
        "pathlib.Path('out').mkdir()\n"
        "shutil.copy('picture.bin', 'out/copy.bin')\n"
        "pathlib.Path('table.csv').write_text('1,2\\n')\n"
        "pathlib.Path('private').write_text('not asked for')\n"
        "print('begun')\n"
        "sys.exit(7)\n"
    )
    (tmp_path / "table.csv").write_text("mine\n")
    arguments = ["--fetch", "*.csv", "--fetch", "**/*.bin", "--fetch", "*.png", "--working-dir", "project"]
    code, stdout, stderr = ended(piray("submit", *arguments, "project/job.py"))
    assert code == 7, stderr
    assert "begun" in stdout
    assert MARK not in stdout
    assert (tmp_path / "out/copy.bin").read_bytes() == picture
    assert (tmp_path / "table.csv").read_text() == "mine\n"
    assert (tmp_path / "table.1.csv").read_text() == "1,2\n"
    present = {path.name for path in tmp_path.iterdir()}
    assert present == {"outputs.json", "project", "out", "table.csv", "table.1.csv"}
    assert "piray: brought out/copy.bin, table.1.csv" in stderr
    assert "--fetch *.png names nothing that the job wrote; in its folder it wrote" in stderr
    job = stderr.split("piray: job ")[1].split()[0]
    assert MARK not in ended(piray("logs", job))[1]
    listed = json.loads(ended(piray("jobs", "--json"))[1])
    assert [one["entrypoint"] for one in listed if one["id"] == job] == ["python job.py"]


@pytest.mark.ray
def test_files_of_a_command_come_back_into_another_folder(piray: Piray, tmp_path: Path) -> None:
    arguments = ["--fetch", "*.txt", "--fetch-to", "results/today", "--", "sh", "-c", "echo hello > a.txt"]
    code, stdout, stderr = ended(piray("submit", *arguments))
    assert code == 0, stderr
    assert (tmp_path / "results/today/a.txt").read_text() == "hello\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--fetch", "x", "--detach"], "--detach does not wait for that: give one"),
        (["--fetch", "../x"], "--fetch '../x' must name files in the job's working directory"),
        (["--fetch", "x", "--fetch-to", "outputs.json/x"], "--fetch-to outputs.json/x cannot be made"),
    ],
)
def test_a_fetch_that_cannot_be_is_refused_before_anything_runs(
    arguments: list[str], text: str, tmp_path: Path
) -> None:
    (tmp_path / "outputs.json").write_text(json.dumps(NOWHERE))
    done = start(tmp_path, "submit", "--outputs", "outputs.json", *arguments, "--", "true")
    code, _, stderr = ended(done)
    assert code != 0
    assert text in stderr


@pytest.mark.ray
def test_files_of_megabytes_come_through_a_port_forward(head: Head, tmp_path: Path) -> None:
    content = os.urandom(8 * 1024 * 1024)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/large.bin").write_bytes(content)
    with behind_kubernetes(head, tmp_path) as outputs:
        (tmp_path / "outputs.json").write_text(outputs)
        options = ["--outputs", "outputs.json", "--working-dir", "project", "--fetch", "copy.bin"]
        code, stdout, stderr = ended(start(tmp_path, "submit", *options, "--", "cp", "large.bin", "copy.bin"))
    assert code == 0, stderr
    assert (tmp_path / "copy.bin").read_bytes() == content
    assert MARK not in stdout
