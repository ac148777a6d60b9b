"""What a user sees of a real Ray of two nodes, with the token on: lists, status and the dashboard."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workloads.conftest import Head, joined_node, running_head

ROOT = Path(__file__).resolve().parents[4]
LIMIT_S = 240
# Something of every kind: what has ended, what runs, and what can never run here.
JOB = """
import os, sys, time, ray
from ray.util.placement_group import placement_group
ray.init(address=f"127.0.0.1:{sys.argv[1]}", _node_ip_address="127.0.0.1")
@ray.remote
def square(x): return x * x
@ray.remote(max_retries=0)
def unlucky(): raise ValueError("no luck")
@ray.remote(max_retries=0)
def leaves(): os._exit(3)
@ray.remote(num_cpus=0.5)
class Counter:
    def get(self): return 1
@ray.remote(num_cpus=4)
def huge(): pass
@ray.remote(resources={"my_camera": 1})
class Photographer: pass
assert ray.get([square.remote(x) for x in range(5)]) == [0, 1, 4, 9, 16]
for fails in (unlucky, leaves):
    try: ray.get(fails.remote())
    except ray.exceptions.RayError: pass
counters = [Counter.options(name=f"counter-{x}").remote() for x in range(2)]
ray.get([each.get.remote() for each in counters])
big = ray.put(b"x" * 5_000_000)
pair = placement_group([{"CPU": 1}], name="pair")
ray.get(pair.ready())
wide = placement_group([{"CPU": 8}], name="wide")
waiting = [huge.remote() for _ in range(3)]
photographer = Photographer.remote()
print("ready", flush=True)
time.sleep(100_000)
"""
Piray = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with running_head() as head, joined_node(head, "worker-1"):
        script = tmp_path_factory.mktemp("job") / "job.py"
        script.write_text(JOB)
        job = subprocess.Popen(
            [sys.executable, str(script), str(head.gcs_port)],
            env=head.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert job.stdout is not None
            assert any(line == "ready\n" for line in job.stdout), "the job ended early"
            yield head
        finally:
            job.kill()
            job.wait()


@pytest.fixture
def piray(cluster: Head, tmp_path: Path) -> Piray:
    (tmp_path / "outputs.json").write_text(cluster.outputs())

    def start(command: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "workloads.cli", command, "--outputs", "outputs.json", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that starts the tests in the background lets its children ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 — one system call
        )

    return start


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=LIMIT_S)
    return process.returncode, stdout, stderr


def until(holds: Callable[[str], bool], run: Callable[[], str]) -> str:
    """Return an answer that holds; Ray collects what its workers tell once a second."""
    deadline = time.monotonic() + LIMIT_S
    while not holds(answer := run()):
        assert time.monotonic() < deadline, answer
    return answer


@pytest.mark.ray
@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("nodes", ["(head)", "(worker)", "ALIVE", "Nodes on stack outputs.json: 2"]),
        ("tasks", ["square", "FINISHED", "FAILED", "worker died", "exception", "Counter.get"]),
        ("actors", ["Counter", "counter-0", "ALIVE", "PENDING CREATION"]),
        ("objects", ["4.8 MiB", "local reference", "driver"]),
        ("placement-groups", ["pair", "CREATED", "1 CPU on ", "wide", "8 CPUs, no place yet"]),
        ("workers", ["driver", "no: system error"]),
    ],
)
def test_everything_that_ray_lists_is_shown_in_100_columns(piray: Piray, kind: str, shown: list[str]) -> None:
    def run() -> str:
        code, stdout, stderr = ended(piray("list", kind))
        assert code == 0, stderr
        return stdout

    table = until(lambda text: all(one in text for one in shown), run)
    assert max(map(len, table.splitlines())) <= 100
    assert "ffffffffffffffffffffffffffffffff" not in table, "a whole id"


@pytest.mark.ray
def test_what_was_not_asked_for_is_left_out_and_what_is_cut_off_is_said(piray: Piray) -> None:
    def squares() -> str:
        return ended(piray("list", "tasks", "--filter", "name=square", "--limit", "2"))[1]

    assert "2 of 5 tasks are shown: raise --limit" in until(lambda text: " of 5 " in text, squares)
    code, stdout, stderr = ended(piray("list", "tasks", "--json", "--filter", "state!=FINISHED"))
    assert code == 0, stderr
    document = json.loads(stdout)
    assert document["shown"] == document["matching"] == len(document["rows"]) <= document["total"]
    assert {row["state"] for row in document["rows"]}.isdisjoint({"FINISHED"})


@pytest.mark.ray
def test_a_filter_by_the_name_of_a_node_finds_what_is_there(piray: Piray) -> None:
    nodes = json.loads(ended(piray("list", "nodes", "--json"))[1])["rows"]
    (head,) = [one for one in nodes if one["is_head_node"]]
    assert head["node"].endswith(" (head)")
    document = json.loads(ended(piray("list", "workers", "--json", "--filter", f"node_id={head['node']}"))[1])
    assert document["rows"]
    assert {(row["node_id"], row["node"]) for row in document["rows"]} == {(head["node_id"], head["node"])}


@pytest.mark.ray
def test_the_status_says_what_there_is_what_runs_what_waits_and_why_it_will_never_come(piray: Piray) -> None:
    def run() -> str:
        code, stdout, stderr = ended(piray("status"))
        assert code == 0, stderr
        return stdout

    # 1 for the counters and 1 for the placement group are taken of 3; Ray counts once a second.
    text = until(lambda said: "2 of 3" in said and "3 tasks huge" in said, run)
    joined = " ".join(text.split())
    assert "Jobs that run: 1" in joined
    assert "2 alive" in joined
    assert "3 tasks huge: each wants 4 CPUs; no node has 4 CPUs: the largest has 2 CPUs." in joined
    assert "none has any my_camera" in joined
    assert "1 placement group wide: wants 8 CPUs" in joined
    assert "Earlier: Ray process" in joined
    assert max(map(len, text.splitlines())) <= 100
    document = json.loads(ended(piray("status", "--json"))[1])
    assert document["is_well"] is True
    assert document["pods"] == []
    assert [node["is_head"] for node in document["ray"]["nodes"]] == [True, False]
    assert {one["possible"] for one in document["ray"]["demands"]} == {False}
