"""What a user sees of the cluster, and a user's own job on it, by port-forward, token and real pods."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.stack import STACK
from tests.checkout import Ended
from tests.e2e.cluster import Cluster, wait_until, whole

# Two tasks for each node, and the hosts on which they ran.
SCRIPT = """
import os
import sys
import time

import ray

ray.init()


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def where():
    time.sleep(0.5)
    return os.environ["PIRAY_NODE_NAME"]


found = sorted(set(ray.get([where.remote() for _ in range(6)])))
print("on", found)
with open("hosts.txt", "w") as file:
    file.write("\\n".join(found))
sys.exit(3)
"""
IDLE = "import time; print('begun', flush=True); time.sleep(3600)"


def piray(cluster: Cluster, command: str, *options: str) -> Ended:
    return cluster.program.piray(command, "--stack", STACK, *options)


def hosts_with_ray(cluster: Cluster) -> list[str]:
    return sorted({pod.node for pod in [*cluster.pods("head"), *cluster.pods("worker")]})


def listed_nodes(cluster: Cluster) -> list[dict[str, Any]]:
    listed = piray(cluster, "list", "nodes", "--json")
    rows: list[dict[str, Any]] = json.loads(listed.stdout)["rows"] if listed.code == 0 else []
    return [row for row in rows if row["state"] == "ALIVE"]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "job.py"
    path.write_text(SCRIPT)
    return path


def test_a_script_runs_on_every_host_and_passes_its_exit_status_on(cluster: Cluster, script: Path) -> None:
    ended = piray(cluster, "submit", str(script))
    assert (
        f"on {sorted(pod.node for pod in [*cluster.pods('head'), *cluster.pods('worker')])}" in ended.stdout
    )
    assert ended.code == 3, ended.said


def test_a_job_that_was_left_is_listed_read_and_stopped(cluster: Cluster) -> None:
    begun = piray(cluster, "submit", "--detach", "--", "python", "-c", IDLE)
    assert begun.code == 0, begun.said
    job = begun.stdout.strip().splitlines()[-1]
    wait_until(lambda: "begun" in piray(cluster, "logs", job).stdout)
    (listed,) = [one for one in json.loads(piray(cluster, "jobs", "--json").stdout) if one["id"] == job]
    assert listed["status"] == "RUNNING"
    assert piray(cluster, "stop", job).code == 0
    (listed,) = [one for one in json.loads(piray(cluster, "jobs", "--json").stdout) if one["id"] == job]
    assert listed["status"] == "STOPPED"


def test_nodes_are_listed_by_the_names_of_their_hosts(cluster: Cluster) -> None:
    ended = piray(cluster, "list", "nodes")
    assert ended.code == 0, ended.said
    assert all(host in ended.stdout for host in hosts_with_ray(cluster))


def test_status_says_what_there_is_and_that_nothing_is_wrong(cluster: Cluster) -> None:
    ended = piray(cluster, "status")
    assert ended.code == 0, ended.said
    assert "Wrong:" not in ended.stdout
    for host in cluster.hosts:
        assert host.name in ended.stdout


def test_the_dashboard_opens_for_one_browser_and_for_nobody_else(cluster: Cluster) -> None:
    running = cluster.program.start("workloads.cli", "dashboard", "--stack", STACK, "--no-browser")
    try:
        assert running.stdout is not None
        link = running.stdout.readline().strip()
        page, root = requests.Session(), "/".join(link.split("/")[:3])
        assert page.get(link, timeout=60).status_code == 200
        assert "<title>Ray Dashboard</title>" in page.get(root, timeout=60).text
        nodes = page.get(f"{root}/nodes?view=summary", timeout=60).json()
        assert len(nodes["data"]["summary"]) == 1 + cluster.workers
        assert requests.get(link, timeout=60).status_code == 403
        assert requests.get(f"{root}/nodes?view=summary", timeout=60).status_code == 403
    finally:
        cluster.program.interrupt(running)
        running.wait()


@pytest.mark.parametrize(
    "name", ["tasks", "actors", "objects", "placement-groups", "environment", "failures"]
)
def test_each_of_ray_s_ideas_is_shown_on_the_cluster(cluster: Cluster, name: str) -> None:
    ended = cluster.program.piray("demo", name, "--stack", STACK)
    assert ended.code == 0, ended.said


@pytest.fixture
def starved(cluster: Cluster) -> Iterator[Cluster]:
    """Yield the cluster with a head that has too little memory to start; `up` gives it back."""
    container = {
        "name": "ray-head",
        "resources": {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}},
    }
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    cluster.kubectl("patch", "deployment", "ray-head", "--namespace=ray", f"--patch={json.dumps(patch)}")
    yield cluster
    up = cluster.up()
    assert up.code == 0, up.said
    wait_until(lambda: whole(cluster) and len(listed_nodes(cluster)) == 1 + cluster.workers, timeout=300)


def test_a_head_that_is_killed_while_it_starts_is_named_with_the_key_to_change(starved: Cluster) -> None:
    def killed() -> bool:
        said = piray(starved, "status").stdout
        return "ray.headMemoryMib" in said and ("OOMKilled" in said or "killed while it started" in said)

    wait_until(killed)
    ended = piray(starved, "status")
    assert ended.code == 1
    assert "its limit, 128Mi" in " ".join(ended.stdout.split()), ended.said
