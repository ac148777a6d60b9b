"""`piray demo`: its help, its list, its sources, and a demo as a user runs it."""

from pathlib import Path
from typing import Protocol

import pytest

from tests.workloads.cli.test_app import piray
from workloads.protocol.demos import DEMOS

ROOT = Path(__file__).resolve().parents[3]


class Head(Protocol):
    def outputs(self) -> str: ...


@pytest.mark.parametrize("arguments", [["--list"], ["--help"], []])
def test_every_demo_is_listed_with_what_it_shows(arguments: list[str], tmp_path: Path) -> None:
    done = piray("demo", *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = {
        name: rest for name, _, rest in (line.strip().partition(" ") for line in done.stdout.splitlines())
    }
    for name, line in DEMOS.items():
        # Help cuts a line that is too long for the terminal.
        assert said[name].strip()[:40] == line[:40]


@pytest.mark.parametrize("name", DEMOS)
def test_the_source_is_the_program_itself(name: str, tmp_path: Path) -> None:
    done = piray("demo", name, "--source", folder=tmp_path)
    assert done.stdout == (ROOT / f"workloads/driver/demos/{name.replace('-', '_')}.py").read_text()


def test_a_demo_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = piray("demo", "dance", folder=tmp_path)
    assert done.returncode == 2
    assert "No such command 'dance'" in done.stderr


@pytest.mark.ray
def test_a_demo_runs_on_this_machine_where_no_stack_is_named(tmp_path: Path) -> None:
    done = piray("demo", "failures", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ZeroDivisionError: division by zero" in done.stdout
    assert "Checked: the first attempt died, and the second one gave the result." in done.stdout
    assert "piray list actors" in done.stdout
    assert "NOT TRUE" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ray
def test_a_job_on_a_cluster_shows_a_task_with_a_working_directory_of_its_own(
    head: Head, tmp_path: Path
) -> None:
    """Its package is not in that directory: the program has to travel with the task."""
    done = piray("demo", "environment", "--outputs", "-", stdin=head.outputs(), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "GREETING is hello, in /etc" in done.stdout
    assert "piray list tasks" in done.stdout
