"""`python -m infra.local` with real Ray processes, and what it says where it can start none."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ray.job_submission import JobSubmissionClient

from infra.local import nodes
from infra.local.__main__ import main
from infra.local.component import RUN
from infra.local.processes import find_process
from infra.local.wanted import Wanted
from tests.refusing_proxy import refusing_proxy

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Machine:
    """A place to work in, with a state directory of its own and a passphrase to keep to itself."""

    home: Path
    token: str = "7e" * 32
    ray_version: str = "2.60.0"
    generation: int = 0
    seen: set[int] = field(default_factory=set)

    def wanted(self, workers: int = 1, worker_cpus: int = 1) -> Wanted:
        return Wanted(
            stack="test",
            token=self.token,
            generation=self.generation,
            ray_version=self.ray_version,
            workers=workers,
            head_cpus=1,
            worker_cpus=worker_cpus,
        )

    def run(self, action: str, workers: int = 1, worker_cpus: int = 1) -> subprocess.CompletedProcess[str]:
        """Run it as Pulumi does, pipes and all, and remember every process it has on record."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.local", action],
            input=self.wanted(workers, worker_cpus).to_json(),
            env={**os.environ, "XDG_STATE_HOME": str(self.home), "PULUMI_CONFIG_PASSPHRASE": "do not tell"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        self.seen |= set(self.nodes().values())
        return done

    def apply(self, workers: int = 1, worker_cpus: int = 1) -> str:
        done = self.run("apply", workers, worker_cpus)
        assert done.returncode == 0, done.stderr
        url = json.loads(done.stdout)["dashboardUrl"]
        assert isinstance(url, str)
        return url

    def nodes(self) -> dict[str, int]:
        """Return name → process number as they are on record."""
        return {
            file.name: int(file.read_text().split("pid=")[1].split()[0])
            for file in (self.home / "piray/test/nodes").glob("*")
        }


def status(url: str, token: str | None) -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def alive(url: str, token: str) -> list[str]:
    """Return the names of the nodes that the cluster counts."""
    request = urllib.request.Request(
        f"{url}/api/v0/nodes?detail=true", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        nodes = json.load(response)["data"]["result"]["result"]
    return sorted(node["labels"]["piray/node"] for node in nodes if node["state"] == "ALIVE")


def group(leader: int) -> list[int]:
    """Return the living processes of a process group."""
    lines = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in lines.stdout.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == leader and not state.startswith("Z")]


def kill(*pids: int) -> None:
    """Kill processes and wait until they are dead, which takes a moment after the signal."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while left := [pid for pid in pids if find_process(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def listening(processes: set[int]) -> set[str]:
    """Return the addresses on which any of the processes listens, from /proc."""
    inodes = set()
    for pid in processes:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in inodes:
                found.add(columns[1].split(":")[0])
    return found


# The driver works in a copy of its files; a task brings the other nodes to fetch theirs.
JOB = """
import os, ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init()
@ray.remote(num_cpus=0)
def here():
    return os.getcwd()
for node in ray.nodes():
    ray.get(here.options(scheduling_strategy=On(node["NodeID"], soft=False)).remote())
os.getcwd()
"""


def job_on_every_node(url: str, machine: Machine) -> str:
    """Run JOB with a working directory, as the runner does; return how it ended."""
    folder = machine.home.parent / "job"
    folder.mkdir()
    (folder / "job.py").write_text(JOB)
    client = JobSubmissionClient(url, headers={"Authorization": f"Bearer {machine.token}"})
    job = client.submit_job(entrypoint=f"{sys.executable} job.py", runtime_env={"working_dir": str(folder)})
    deadline = time.monotonic() + 120
    while not client.get_job_status(job).is_terminal() and time.monotonic() < deadline:
        time.sleep(0.2)
    print(client.get_job_logs(job))
    return str(client.get_job_status(job).value)


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine(tmp_path / "state")
    monkeypatch.setenv("XDG_STATE_HOME", str(machine.home))
    try:
        yield machine
    finally:
        machine.run("undo")
        kill(*(pid for leader in machine.seen for pid in group(leader)))


@pytest.mark.ray
def test_the_life_of_a_local_cluster(machine: Machine) -> None:
    """One cluster through everything that can happen to it: each step starts from what the last one left."""
    url = machine.apply(workers=1)
    first = machine.nodes()
    assert set(first) == {"head", "worker-1"}
    assert alive(url, machine.token) == ["head", "worker-1"]

    jobs = f"{url}/api/jobs/"
    assert [status(jobs, token) for token in (None, "0" * 64, machine.token)] == [401, 403, 200]
    if Path("/proc/net/tcp").exists():
        processes = {pid for leader in first.values() for pid in group(leader)}
        assert listening(processes) <= LOOPBACK
        environment = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in first.values())
        assert b"do not tell" not in environment
        command_lines = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes)
        assert machine.token.encode() not in command_lines
    state = machine.home / "piray/test"
    assert state.stat().st_mode & 0o777 == 0o700

    assert job_on_every_node(url, machine) == "SUCCEEDED", "no node takes the job's files from another one"

    assert machine.apply(workers=1) == url
    assert machine.nodes() == first, "a second run changes nothing"

    machine.apply(workers=2)
    second = machine.nodes()
    assert {name: second[name] for name in first} == first, "one more worker leaves the others alone"
    assert alive(url, machine.token) == ["head", "worker-1", "worker-2"]

    assert nodes.generation("test") == 0
    kill(*group(second["worker-2"]))
    machine.generation = nodes.generation("test")
    assert machine.generation == 1, "a dead node is a changed input, so that `pulumi up` has something to do"
    machine.apply(workers=2)
    assert nodes.generation("test") == 1, "and no further change follows from its repair"
    third = machine.nodes()
    assert {name for name in third if third[name] != second[name]} == {"worker-2"}, (
        "only the dead is replaced"
    )
    assert alive(url, machine.token) == ["head", "worker-1", "worker-2"]

    assert machine.apply(workers=0) == url
    assert machine.nodes() == {"head": first["head"]}
    assert alive(url, machine.token) == ["head"]

    temporary = Path((state / "temp").read_text().strip())
    assert temporary.is_dir()
    assert machine.run("undo").returncode == 0
    assert [pid for leader in machine.seen for pid in group(leader)] == []
    assert not state.exists()
    assert not temporary.exists()
    assert machine.run("undo").returncode == 0, "there is nothing left to undo, which is no failure"


@pytest.mark.ray
def test_a_dead_head_is_repaired_with_its_workers_under_the_same_address(machine: Machine) -> None:
    url = machine.apply(workers=1)
    before = machine.nodes()
    kill(before["head"])
    assert machine.apply(workers=1) == url
    after = machine.nodes()
    assert not set(before.values()) & set(after.values())
    assert alive(url, machine.token) == ["head", "worker-1"]
    assert [pid for leader in before.values() for pid in group(leader)] == []

    machine.token = "8f" * 32
    assert machine.apply(workers=1) == url
    assert status(f"{url}/api/jobs/", "7e" * 32) == 403, "a new token replaces the old one"
    assert status(f"{url}/api/jobs/", machine.token) == 200

    # Half dead: undo finds what is left of a node that has lost its first process.
    kill(*machine.nodes().values())
    assert machine.run("undo").returncode == 0
    assert [pid for leader in machine.seen for pid in group(leader)] == []


@pytest.mark.ray
def test_no_proxy_of_the_user_carries_what_the_nodes_say_to_each_other(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_proxy() as proxy:
        with monkeypatch.context() as user:
            for name, value in proxy.environment.items():
                user.setenv(name, value)
            user.setenv("no_proxy", "intranet.example.org")
            url = machine.apply(workers=1)
        assert job_on_every_node(url, machine) == "SUCCEEDED"
        node = Path(f"/proc/{machine.nodes()['head']}/environ").read_bytes().split(b"\0")
    # What Ray asks of the internet (is this a cloud?) is the proxy's business.
    assert [line for line in proxy.asked if "127.0.0.1" in line or "localhost" in line] == []
    assert f"http_proxy=http://127.0.0.1:{proxy.port}".encode() in node, (
        "a job may install packages through it"
    )
    assert b"no_proxy=intranet.example.org,127.0.0.1,localhost" in node


@pytest.mark.ray
def test_another_process_with_a_recorded_number_is_left_alone(machine: Machine) -> None:
    """Numbers of processes are used again, after a restart of the machine above all."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        try:
            records = machine.home / "piray/test/nodes"
            records.mkdir(parents=True)
            (records / "head").write_text(
                f"pid={stranger.pid}\nstarted=an-older-boot 12345\nstart=1-1\nas=x\n"
            )
            assert machine.run("undo").returncode == 0
            time.sleep(0.5)
            assert stranger.poll() is None
            assert not (machine.home / "piray/test").exists()
        finally:
            stranger.kill()


def test_without_ray_one_line_says_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_package(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", no_package)
    assert main(["apply"], machine.wanted().to_json()) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "make up STACK=test" in line
    assert not machine.home.exists()


@pytest.mark.parametrize(("action", "target"), [("apply", "up"), ("undo", "down")])
def test_a_python_without_our_libraries_is_refused_in_one_line(
    machine: Machine, tmp_path: Path, action: str, target: str
) -> None:
    """Where .venv has been removed, the command that Pulumi knows finds whatever Python is on PATH."""
    venv.create(tmp_path / "bare")
    done = subprocess.run(
        ["sh", "-c", f"{RUN} {action}"],
        input=machine.wanted().to_json(),
        env={"PATH": f"{tmp_path}/bare/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path}/bare/bin/python3 has no psutil" in line
    assert f"make {target} STACK=test" in line


def test_the_python_of_the_project_comes_before_that_of_the_path(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    said = subprocess.run(
        ["sh", "-c", f"{RUN} apply"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout == "-m infra.local apply\n"


def test_files_that_cannot_be_written_are_told_in_one_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    assert main(["apply"], machine.wanted().to_json()) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{os.devnull}/piray/test" in line
    assert main(["undo"], machine.wanted().to_json()) == 0, "nothing was there, so nothing is left"


def test_another_version_of_ray_is_refused_before_anything_starts(machine: Machine) -> None:
    machine.ray_version = "2.59.0"
    done = machine.run("apply")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "2.60.0" in line
    assert "2.59.0" in line
    assert not machine.home.exists()
