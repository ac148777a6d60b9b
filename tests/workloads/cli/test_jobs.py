"""A user's own jobs, as a user runs them: a process of its own, against a real Ray."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import click
import pytest
from rich.console import Console

from tests.wheel import write_wheel
from tests.workloads.conftest import processes_with
from workloads.cli.jobs import end, jobs_table, short
from workloads.protocol.parcel import MARK
from workloads.runner.jobs_api.job import Job

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 240
# A cluster where nobody answers.
NOWHERE = {
    **{"contractVersion": 1, "platform": "local", "rayVersion": "2.60.0", "rayToken": "0" * 64, "workers": 0},
    "dashboardUrl": "http://127.0.0.1:9",
}


class Head(Protocol):
    token: str
    url: str

    def outputs(self, **changes: Any) -> str: ...
    def get(self, path: str) -> Any: ...


Piray = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def piray(head: Head, tmp_path: Path) -> Piray:
    """Return what starts the command beside the head."""
    (tmp_path / "outputs.json").write_text(head.outputs())

    def start(command: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "workloads.cli", command, "--outputs", "outputs.json", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that starts the tests in the background lets its children ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 — one system call
        )

    return start


def without_a_stack(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start the command with no cluster to be found."""
    return subprocess.Popen(
        [sys.executable, "-m", "workloads.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 — as above
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=LIMIT_S)
    return process.returncode, stdout, stderr


@pytest.mark.ray
def test_a_script_runs_on_the_cluster_and_what_it_writes_and_its_exit_status_come_back(
    piray: Piray, tmp_path: Path
) -> None:
    (tmp_path / "job.py").write_text(
        "import os, ray, sys\n"
        "ray.init()\n"
        "@ray.remote\n"
        "def square(x): return x * x\n"
        "print(ray.get([square.remote(x) for x in range(4)]), os.environ['WHO'], sys.argv[1:])\n"
        "sys.exit(7)\n"
    )
    code, stdout, stderr = ended(piray("submit", "--env", "WHO=me", "job.py", "--size", "3"))
    assert "[0, 1, 4, 9] me ['--size', '3']" in stdout
    assert code == 7, stderr
    assert "ended as FAILED: its command ended with exit status 7" in stderr


@pytest.mark.ray
def test_the_traceback_of_a_script_is_shown_and_a_folder_comes_without_what_git_ignores(
    piray: Piray, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "helper.py").write_text("NAME = 'helper'\n")
    (folder / "secret.txt").write_text("not for the cluster")
    (folder / ".gitignore").write_text("secret.txt\n")
    (folder / "job.py").write_text(
        "import helper, os\nprint(helper.NAME, os.path.exists('secret.txt'))\nraise ValueError('no luck')\n"
    )
    code, stdout, _ = ended(piray("submit", "--working-dir", "project", "project/job.py"))
    assert code == 1
    assert "ValueError: no luck" in stdout
    assert "helper False" in stdout


@pytest.mark.ray
def test_a_script_itself_has_the_packages_that_it_asked_for(piray: Piray, tmp_path: Path) -> None:
    write_wheel(tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    module = wheel.name.partition("-")[0]
    (tmp_path / "job.py").write_text(f"import {module}\nprint({module}.__name__, 'is here')\n")
    code, stdout, stderr = ended(piray("submit", "--pip", str(wheel), "job.py"))
    assert code == 0, stdout + stderr
    assert f"{module} is here" in stdout


@pytest.mark.ray
def test_files_that_are_more_than_ray_takes_are_named_with_what_to_do(piray: Piray, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".gitignore").write_text("")
    # Nothing that can be packed any smaller.
    (folder / "large.bin").write_bytes(os.urandom(101 * 1024 * 1024))
    code, _, stderr = ended(piray("submit", "--working-dir", "project", "--", "true"))
    assert code == 1
    assert "project" in stderr
    assert "large.bin (101 MiB)" in stderr
    assert ".rayignore" in stderr


@pytest.mark.ray
def test_a_detached_job_is_listed_its_log_read_and_it_is_stopped_by_the_beginning_of_its_id(
    piray: Piray,
) -> None:
    code, stdout, stderr = ended(piray("submit", "--detach", "--", "sh", "-c", "echo begun; sleep 600"))
    assert code == 0, stderr
    job = stdout.strip()
    assert f"piray logs {job} --follow --outputs outputs.json" in stderr
    deadline = time.monotonic() + LIMIT_S
    while "begun" not in ended(piray("logs", job))[1]:
        assert time.monotonic() < deadline
    listed = json.loads(ended(piray("jobs", "--json"))[1])
    (own,) = [one for one in listed if one["id"] == job]
    assert (own["status"], own["entrypoint"]) == ("RUNNING", "sh -c 'echo begun; sleep 600'")
    following = piray("logs", job.rpartition("-")[2], "--follow")
    assert following.stdout is not None
    assert any(line == "begun\n" for line in following.stdout)
    following.send_signal(signal.SIGINT)
    code, _, stderr = ended(following)
    assert (code, stderr) == (
        130,
        f"piray: you no longer follow job {job}. It goes on; piray stop {job} stops it.\n",
    )
    code, stdout, stderr = ended(piray("stop", job[:-2]))
    assert code == 0, stderr
    assert stdout == f"stopped {job}\n"
    assert "STOPPED" in ended(piray("jobs"))[1]
    assert f"job {job} has ended already: STOPPED" in ended(piray("stop", job))[1]


@pytest.mark.ray
def test_an_interrupt_stops_the_job(piray: Piray, head: Head) -> None:
    process = piray("submit", "--", "sh", "-c", "echo begun; sleep 600")
    assert process.stdout is not None
    # Ray's own words may come before.
    assert any(line == "begun\n" for line in process.stdout)
    process.send_signal(signal.SIGINT)
    code, _, stderr = ended(process)
    assert code == 130
    job = stderr.split("piray: job ")[1].split()[0]
    assert f"stopping job {job}" in stderr
    assert head.get(f"/api/jobs/{job}")["status"] == "STOPPED"


@pytest.mark.ray
def test_an_unknown_job_is_answered_with_those_that_there_are(piray: Piray) -> None:
    known = ended(piray("submit", "--detach", "--", "true"))[1].strip()
    code, _, stderr = ended(piray("logs", "piray-job-none"))
    assert code == 1
    assert "the cluster has no job piray-job-none; it has" in stderr
    assert known in stderr


@pytest.mark.ray
def test_a_command_that_a_signal_ends_is_told_by_its_name_with_the_exit_status_of_a_shell(
    piray: Piray,
) -> None:
    code, _, stderr = ended(piray("submit", "--", "sh", "-c", "kill -9 $$"))
    assert code == 137
    assert "ended as FAILED: its command was ended by the signal SIGKILL" in stderr


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("python job.py --n 5", "python job.py --n 5"),
        (f"python {'/very/long' * 8}/folder/train.py --n 5", "python …/train.py --n 5"),
        ("sh -c 'first\n  second'", "sh -c 'first second'"),
        ("python " + "x" * 80, "python " + "x" * 52 + "…"),
        ("cat / " + "/ " * 40, "cat " + "/ " * 27 + "/…"),
    ],
)
def test_a_command_is_shown_in_one_line_with_the_names_of_its_files(command: str, shown: str) -> None:
    assert short(command) == shown


@pytest.mark.parametrize(
    ("message", "reason"), [("", ""), ("pip failed\nno such package", ": no such package")]
)
def test_why_a_job_never_ran_is_told(message: str, reason: str) -> None:
    told: list[str] = []
    job = Job(
        id="a", status="FAILED", entrypoint="x", message=message, started_s=None, ended_s=None, exit_code=None
    )
    with pytest.raises(click.exceptions.Exit):
        end(job, told.append)
    assert told == [f"job a ended as FAILED{reason}"]


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
    done = without_a_stack(tmp_path, "submit", "--outputs", "outputs.json", *arguments, "--", "true")
    code, _, stderr = ended(done)
    assert code != 0
    assert text in stderr


def test_without_a_stack_a_command_says_what_it_needs(tmp_path: Path) -> None:
    watching = (["list", "tasks"], ["status"], ["dashboard"])
    for command in (["jobs"], ["logs", "x"], ["stop", "x"], *watching):
        done = subprocess.run(
            [sys.executable, "-m", "workloads.cli", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "this needs a cluster: name its stack, as in --stack home" in done.stderr


def test_without_a_stack_no_job_is_left_behind_alone(tmp_path: Path) -> None:
    done = without_a_stack(tmp_path, "submit", "--detach", "--", "true")
    code, _, stderr = ended(done)
    assert code == 1
    assert stderr.count("\n") == 1
    assert "--detach needs a cluster that goes on: name its stack, as in --stack home" in stderr


@pytest.mark.ray
@pytest.mark.usefixtures("head")
def test_without_a_stack_a_script_runs_on_a_ray_of_its_own_beside_another_one(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        "import os, ray, sys\n"
        "ray.init()\n"
        "@ray.remote\n"
        "def square(x): return x * x\n"
        "print(ray.get([square.remote(x) for x in range(4)]), os.environ['WHO'], sys.argv[1:])\n"
        "open('table.csv', 'w').write('1,2')\n"
        "open('other.csv', 'w').write('3,4')\n"
        "sys.exit(7)\n"
    )
    options = ["--env", "WHO=me", "--fetch", "table.csv"]
    process = without_a_stack(tmp_path, "submit", *options, "job.py", "--size", "3")
    code, stdout, stderr = ended(process)
    assert "[0, 1, 4, 9] me ['--size', '3']" in stdout
    assert code == 7, stderr
    assert not list(Path("/tmp").glob(f"piray-{process.pid}-*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.py", "table.csv"]
    assert (tmp_path / "table.csv").read_text() == "1,2"


@pytest.mark.ray
def test_without_a_stack_an_interrupt_ends_the_job_and_its_ray(tmp_path: Path) -> None:
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    process = without_a_stack(
        tmp_path, "submit", "--env", f"MARK={mark}", "--", "sh", "-c", "echo begun; sleep 600"
    )
    assert process.stdout is not None
    assert any(line == "begun\n" for line in process.stdout)
    (folder,) = Path("/tmp").glob(f"piray-{process.pid}-*")
    assert processes_with(mark)
    process.send_signal(signal.SIGINT)
    code, _, _ = ended(process)
    assert code == 130
    assert not folder.exists()
    deadline = time.monotonic() + LIMIT_S
    while processes_with(mark) or processes_with(str(folder)):
        assert time.monotonic() < deadline


def test_the_table_of_jobs_fits_100_columns_with_each_id_on_one_line() -> None:
    first = Job(
        id="piray-job-0123abcd",
        status="FAILED",
        entrypoint="python " + "x" * 80,
        message="",
        started_s=0.0,
        ended_s=3723.0,
        exit_code=2,
    )
    waiting = Job(
        id="raysubmit_0123456789abcdef",
        status="PENDING",
        entrypoint="true",
        message="",
        started_s=None,
        ended_s=None,
        exit_code=None,
    )
    file = io.StringIO()
    Console(file=file, width=100).print(jobs_table("stack home", [first, waiting], 5000.0))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert any(
        "piray-job-0123abcd" in line and "FAILED (2)" in line and "1 h 2 min" in line for line in lines
    )
    assert any("raysubmit_0123456789abcdef" in line and "PENDING" in line for line in lines)
