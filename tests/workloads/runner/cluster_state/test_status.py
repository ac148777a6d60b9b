"""Two sources: when one is silent the other is shown, and what is missing is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.runner.fake_kubernetes import kubeconfig, kubernetes
from workloads.runner.cluster_state.status import ClusterStatus, read_hosts, read_status
from workloads.runner.stack_outputs import parse
from workloads.runner.target import StackTarget

BACK_OFF = {
    "name": "ray-head",
    "restartCount": 4,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s"}},
    "lastState": {"terminated": {"exitCode": 137, "reason": "Error"}},
    "started": False,
}
POD: dict[str, Any] = {
    "metadata": {
        "name": "ray-head-1",
        "namespace": "ray",
        "labels": {"app": "ray-head", "app.kubernetes.io/component": "head"},
    },
    "spec": {
        "nodeName": "pi1",
        "containers": [{"name": "ray-head", "resources": {"limits": {"memory": "512Mi"}}}],
    },
    "status": {"phase": "Running", "podIP": "10.42.0.7", "containerStatuses": [BACK_OFF]},
}
HOST = {"metadata": {"name": "pi1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def target(config: str) -> StackTarget:
    values = {
        "contractVersion": 1,
        "platform": "pi",
        "rayVersion": "2.60.0",
        "rayToken": "t",
        "workers": 1,
        "kubeconfig": config,
        "namespace": "ray",
        "headService": "ray-head",
        "dashboardPort": 8265,
    }
    return StackTarget("home", parse(values, "home"), print)


@pytest.fixture
def killed_head(tmp_path: Path) -> Any:
    objects = {
        "namespaces": [{"metadata": {"name": "ray"}}],
        "services": [
            {"metadata": {"name": "ray-head", "namespace": "ray"}, "spec": {"selector": {"app": "ray-head"}}}
        ],
        "pods": [POD],
        "nodes": [HOST],
    }
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(objects))
    with kubernetes(path, 9) as server:
        yield target(kubeconfig(server))


def test_a_head_that_is_killed_while_it_starts_is_told_by_kubernetes_though_ray_is_silent(
    killed_head: StackTarget,
) -> None:
    status = read_status(killed_head)
    assert isinstance(status, ClusterStatus)
    assert status.ray is None
    (missing,) = status.missing
    assert "Ray says nothing: no pod behind Service ray-head is ready" in missing
    (problem,) = status.problems
    assert problem.subject == "head ray-head-1 on pi1"
    assert "killed while it started" in problem.what
    assert "512Mi" in problem.what
    assert "raise ray.headMemoryMib" in problem.remedy
    assert [(pod.role, pod.state, pod.host, pod.restarts) for pod in status.pods] == [
        ("head", "CrashLoopBackOff", "pi1", 4)
    ]
    assert not status.is_well


def test_the_hosts_of_pods_are_known_by_their_addresses(killed_head: StackTarget) -> None:
    assert read_hosts(killed_head) == {"10.42.0.7": "pi1"}


def test_when_nobody_answers_it_is_said_once() -> None:
    status = read_status(target(kubeconfig("http://127.0.0.1:9")))
    assert (status.ray, status.pods, status.problems) == (None, (), ())
    (missing,) = status.missing
    assert missing.startswith("Kubernetes says nothing: Kubernetes at http://127.0.0.1:9 cannot be reached")
    assert read_hosts(target(kubeconfig("http://127.0.0.1:9"))) == {}
