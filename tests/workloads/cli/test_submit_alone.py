"""A job without a stack: on a Ray of this machine that ends with it."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.workloads.cli.commands import LIMIT_S, ended, start
from tests.workloads.conftest import processes_with


def test_without_a_stack_no_job_is_left_behind_alone(tmp_path: Path) -> None:
    done = start(tmp_path, "submit", "--detach", "--", "true")
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
    process = start(tmp_path, "submit", *options, "job.py", "--size", "3")
    code, stdout, stderr = ended(process)
    assert "[0, 1, 4, 9] me ['--size', '3']" in stdout
    assert code == 7, stderr
    assert not list(Path("/tmp").glob(f"piray-{process.pid}-*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.py", "table.csv"]
    assert (tmp_path / "table.csv").read_text() == "1,2"


@pytest.mark.ray
def test_without_a_stack_an_interrupt_ends_the_job_and_its_ray(tmp_path: Path) -> None:
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    process = start(tmp_path, "submit", "--env", f"MARK={mark}", "--", "sh", "-c", "echo begun; sleep 600")
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
