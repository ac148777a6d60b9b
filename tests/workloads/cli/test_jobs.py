"""A user's own jobs, as a user runs them: a process of its own, against a real Ray."""

import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import click
import pytest
from rich.console import Console

from tests.wheel import write_wheel
from tests.workloads.cli.commands import LIMIT_S, ended, start
from workloads.cli.jobs import end, jobs_table, short
from workloads.runner.jobs_api.job import Job


class Head(Protocol):
    token: str
    url: str

    def outputs(self, **changes: Any) -> str: ...
    def get(self, path: str) -> Any: ...


Piray = Callable[..., "subprocess.Popen[str]"]


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
    assert "ended as FAILED: its command ended with exit status 137 (as after the signal SIGKILL)" in stderr


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
    ("code", "message", "reason", "status"),
    [
        (None, "", "", 1),
        (None, "pip failed\nno such package", ": no such package", 1),
        (7, "the log", ": its command ended with exit status 7", 7),
        (-9, "", ": its command ended with exit status 137 (as after the signal SIGKILL)", 137),
    ],
)
def test_why_a_job_failed_is_told(code: int | None, message: str, reason: str, status: int) -> None:
    told: list[str] = []
    job = Job(
        id="a", status="FAILED", entrypoint="x", message=message, started_s=None, ended_s=None, exit_code=code
    )
    with pytest.raises(click.exceptions.Exit) as ended_with:
        end(job, told.append)
    assert told == [f"job a ended as FAILED{reason}"]
    assert ended_with.value.exit_code == status


@pytest.mark.parametrize(
    "command", [["jobs"], ["logs", "x"], ["stop", "x"], ["list", "tasks"], ["status"], ["dashboard"]]
)
def test_without_a_stack_a_command_says_what_it_needs(command: list[str], tmp_path: Path) -> None:
    code, _, stderr = ended(start(tmp_path, *command))
    assert code == 1
    assert stderr.startswith("piray: this needs a cluster: name its stack, as in --stack home; ")
    assert stderr.count("\n") == 1


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
