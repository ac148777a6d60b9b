"""The local platform: the component under mocks, and its script with real Ray processes."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ray.job_submission import JobSubmissionClient

from infra.remote.command import render_stdin
from sandbox.engine.program.answers import RAY_TOKEN, command_answer
from sandbox.engine.stack.files import stack_config
from tests.program import Program, Secret, plain_texts, reveal, run_program

ROOT = Path(__file__).resolve().parents[3]
URL = "http://127.0.0.1:8265"


def answer(args: Any) -> dict[str, Any]:
    if args.name == "ray-local":
        return {"stdout": json.dumps({"dashboardUrl": URL}), "stderr": ""}
    return dict(command_answer(args))


def program(*, preview: bool = False, config: Mapping[str, str] | None = None) -> Program:
    settings = {**stack_config("local"), **(config or {})}
    return run_program(settings, stack="local", preview=preview, answer=answer)


@pytest.mark.parametrize("preview", [True, False])
def test_the_token_travels_on_stdin_and_nowhere_in_clear(preview: bool) -> None:
    made = program(preview=preview)
    command = made.named("ray-local")
    if not preview:
        assert isinstance(command.inputs["stdin"], Secret)
        assert RAY_TOKEN in reveal(command.inputs["stdin"])
    for resource in made.resources:
        assert RAY_TOKEN not in " ".join(plain_texts(resource.inputs))
    assert isinstance(made.outputs["rayToken"], Secret)


def test_nothing_of_this_machine_is_among_the_inputs() -> None:
    """Else another machine would run everything again, and a stack file would not be portable."""
    inputs = json.dumps(reveal(program().named("ray-local").inputs))
    for text in {str(ROOT), str(Path.home()), socket.gethostname()} - {"/"}:
        assert text not in inputs


def test_another_number_of_workers_updates_the_command_and_does_not_replace_it() -> None:
    one, two = (program(config={"piray:workers": n}).named("ray-local") for n in ("1", "2"))
    assert one.inputs["create"] == one.inputs["update"] == two.inputs["update"]
    assert one.inputs["stdin"] != two.inputs["stdin"]
    assert "triggers" not in two.inputs
    assert one.inputs["delete"] == "bash -s -- undo"


def test_the_runner_is_told_where_the_jobs_api_is_and_that_nothing_is_missing() -> None:
    outputs = program().outputs
    assert outputs["dashboardUrl"] == URL
    assert outputs["runtimePackages"] == []
    assert not {"kubeconfig", "namespace", "headService", "piJob"} & set(outputs)


@dataclass
class Machine:
    """A place for the script to work in, with its own state directory and a passphrase to keep to itself."""

    home: Path
    token: str = "7e" * 32
    ray_version: str = "2.60.0"
    directory: Path = ROOT
    generation: str = "0"
    seen: set[int] = field(default_factory=set)

    def run(self, action: str, workers: int = 1, worker_cpus: int = 1) -> subprocess.CompletedProcess[str]:
        """Run the script as Pulumi does, pipes and all, and remember every process it has on record."""
        variables = {
            "HOST": "this machine",
            "STACK": "test",
            "RAY_VERSION": self.ray_version,
            "WORKERS": str(workers),
            "HEAD_CPUS": "1",
            "WORKER_CPUS": str(worker_cpus),
            "TOKEN": self.token,
            "GENERATION": self.generation,
        }
        done = subprocess.run(
            ["bash", "-s", "--", action],
            input=render_stdin(["local/local-ray.sh"], variables),
            env={**os.environ, "XDG_STATE_HOME": str(self.home), "PULUMI_CONFIG_PASSPHRASE": "do not tell"},
            cwd=self.directory,
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
        """Return name → process number as the script has them on record."""
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
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "state")
    try:
        yield machine
    finally:
        machine.run("undo")
        for leader in machine.seen:
            for pid in group(leader):
                os.kill(pid, 9)


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

    assert machine.run("generation").stdout == "0\n"
    for pid in group(second["worker-2"]):
        os.kill(pid, 9)
    machine.generation = machine.run("generation").stdout.strip()
    assert machine.generation == "1", (
        "a dead node is a changed input, so that `pulumi up` has something to do"
    )
    machine.apply(workers=2)
    assert machine.run("generation").stdout == "1\n", "and no further change follows from its repair"
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
    os.kill(before["head"], 9)
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
    for leader in machine.nodes().values():
        os.kill(leader, 9)
    assert machine.run("undo").returncode == 0
    assert [pid for leader in machine.seen for pid in group(leader)] == []


@pytest.mark.ray
def test_another_process_with_a_recorded_number_is_left_alone(machine: Machine) -> None:
    """Numbers of processes are used again, after a restart of the machine above all."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        try:
            nodes = machine.home / "piray/test/nodes"
            nodes.mkdir(parents=True)
            (nodes / "head").write_text(f"pid={stranger.pid}\nstarted=an-older-boot 12345\nstart=1-1\nas=x\n")
            assert machine.run("undo").returncode == 0
            time.sleep(0.5)
            assert stranger.poll() is None
            assert not (machine.home / "piray/test").exists()
        finally:
            stranger.kill()


def test_without_ray_one_line_says_what_to_do(machine: Machine, tmp_path: Path) -> None:
    machine.directory = tmp_path
    done = subprocess.run(
        ["bash", "-s", "--", "apply"],
        input=render_stdin(
            ["local/local-ray.sh"], {"HOST": "this machine", "STACK": "test", "RAY_VERSION": "2.60.0"}
        ),
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_STATE_HOME": str(machine.home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "make up STACK=test" in line
    assert not machine.home.exists()


def test_another_version_of_ray_is_refused_before_anything_starts(machine: Machine) -> None:
    machine.ray_version = "2.59.0"
    done = machine.run("apply")
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "2.60.0" in line
    assert "2.59.0" in line
    assert not machine.home.exists()


STARTS_AGAIN = """
ROOT= STACK=test HOST='this machine'
. infra/remote/lib.sh
. infra/local/local-ray.sh
DIR=$FOLDER
mkdir -p "$DIR/nodes" "$DIR/logs"
FRESH=0 starts=0
alive_nodes() { if ((starts == 4)); then echo "$NODE 4"; else return 1; fi; }
running() { ((starts == 4)); }
stop_nodes() { :; }
start_node() {
  starts=$((starts + 1))
  echo "$SAID" >"$DIR/logs/$1.log"
  echo "start=$starts" >"$DIR/nodes/$1"
}
start_node "$NODE"
await "$NODE"
echo "$starts"
"""


def starts_again(folder: Path, node: str, said: str) -> subprocess.CompletedProcess[str]:
    """Let the script wait for a node that ends three times, each time with these last words."""
    return subprocess.run(
        ["bash", "-euc", STARTS_AGAIN],
        env={**os.environ, "FOLDER": str(folder), "NODE": node, "SAID": said},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("node", ["head", "worker-1"])
def test_a_node_that_was_too_slow_for_ray_is_started_again(tmp_path: Path, node: str) -> None:
    done = starts_again(tmp_path, node, "Exception: The current node timed out during startup. This could")
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr


def test_a_node_that_ends_twice_for_another_reason_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    done = starts_again(tmp_path, "worker-1", "Address already in use")
    assert done.returncode == 1
    assert "worker-1 did not start" in done.stderr
    assert "Address already in use" in done.stderr
