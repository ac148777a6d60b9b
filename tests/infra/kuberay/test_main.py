"""`python -m infra.kuberay` as Pulumi runs it: a task in, an answer out; on a double of the API server."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from infra.kuberay import __main__ as program
from infra.kuberay.removal import Operator
from infra.kuberay.task import Task
from infra.kuberay.watch.look import look
from infra.kuberay.watch.loop import WatchError
from tests.infra.kuberay.cluster_double import ClusterDouble, custom

WHERE = Operator("kuberay-system", "kuberay-operator")


def run(
    monkeypatch: pytest.MonkeyPatch, cluster: ClusterDouble, *arguments: str, **task: Any
) -> tuple[int, Any]:
    """Run an action; return its exit code and the task that it was told."""
    told = Task(kubeconfig="the kubeconfig", namespace="ray", operator=WHERE, **task)
    monkeypatch.setattr(program, "ApiServer", lambda kubeconfig, timeout_s: cluster)
    monkeypatch.setattr("sys.stdin", io.StringIO(told.to_json()))
    return program.main(list(arguments)), told


def test_a_task_survives_its_way_through_stdin() -> None:
    task = Task(kubeconfig="k", namespace="ray", operator=WHERE, least={"small": 2}, limit_s=60.0)
    assert Task.from_json(task.to_json()) == task


def test_a_job_that_has_ended_is_told_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, job = custom("RayJob", "primes")
    job["status"] = {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}
    job["metadata"]["uid"] = "1"
    code, _ = run(monkeypatch, ClusterDouble({path: job}), "await", kind="RayJob", name="primes", limit_s=10)
    assert code == 0
    assert json.loads(capsys.readouterr().out)["status"] == "SUCCEEDED"


def test_a_problem_names_the_resource_and_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, job = custom("RayJob", "primes")
    job["status"] = {"jobDeploymentStatus": "ValidationFailed", "message": "no entrypoint"}
    job["metadata"]["uid"] = "1"
    code, _ = run(monkeypatch, ClusterDouble({path: job}), "await", kind="RayJob", name="primes", limit_s=10)
    assert code == 1
    assert capsys.readouterr().err == "RayJob primes: it is invalid: no entrypoint\n"


def test_what_somebody_has_removed_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = run(monkeypatch, ClusterDouble({}), "await", kind="RayCluster", name="ray", limit_s=10)
    assert code == 1
    assert "RayCluster ray: it is not there" in capsys.readouterr().err


def test_the_room_of_a_mode_is_made_by_the_word_after_the_action(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, cluster = custom("RayCluster", "ray")
    double = ClusterDouble({path: cluster})
    assert run(monkeypatch, double, "room", "deployments")[0] == 0
    assert double.objects == {}
    assert "RayCluster ray is removed" in capsys.readouterr().err


def test_definitions_go_after_all_that_is_of_their_kinds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, job = custom("RayJob", "mine", "ray.io/rayjob-finalizer")
    kind = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rayjobs.ray.io"
    double = ClusterDouble({path: job, kind: {"metadata": {"name": "rayjobs.ray.io"}}})
    assert run(monkeypatch, double, "undefine", definitions={"ray.io_rayjobs.yaml": "0"})[0] == 0
    assert double.objects == {}
    deleted = [path for verb, path in double.calls if verb == "DELETE"]
    assert deleted == [path, kind]
    assert "RayJob mine was still there" in capsys.readouterr().err


def test_a_definition_that_cannot_be_had_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    task = {"definitions_url": "http://127.0.0.1:1", "definitions": {"ray.io_rayjobs.yaml": "0" * 64}}
    assert run(monkeypatch, ClusterDouble({}), "define", **task)[0] == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("http://127.0.0.1:1/ray.io_rayjobs.yaml cannot be downloaded")


def test_a_look_finds_the_pods_of_the_clusters_that_a_service_has_made() -> None:
    path, service = custom("RayService", "hello")
    service["metadata"]["uid"] = "1"
    service["status"] = {"pendingServiceStatus": {"rayClusterName": "hello-1"}}
    pod = {"metadata": {"name": "hello-1-head", "labels": {"ray.io/cluster": "hello-1"}}}
    events = [
        {"message": "later", "lastTimestamp": "2026-11-27T20:02:00Z"},
        {"message": "first", "lastTimestamp": "2026-11-27T20:01:00Z"},
    ]
    objects = {path: service, "/api/v1/namespaces/ray/pods/hello-1-head": pod}
    objects |= {f"/api/v1/namespaces/ray/events/{number}": event for number, event in enumerate(events)}
    line = {"level": "error", "RayService": {"name": "hello"}, "error": "501 Not Implemented"}
    other = {"level": "error", "RayService": {"name": "other"}, "error": "another one's"}
    log = "\n".join(["not JSON", json.dumps(line), json.dumps(other)])
    operator = "/api/v1/namespaces/kuberay-system/pods"
    objects[f"{operator}/op-1"] = {"metadata": {"name": "op-1"}}
    cluster = ClusterDouble(objects)
    cluster.texts = {f"{operator}/op-1/log?tailLines=200": log}
    task = Task(kubeconfig="", namespace="ray", operator=WHERE, kind="RayService", name="hello")
    sight = look(cluster, task)  # type: ignore[arg-type]
    assert [one["metadata"]["name"] for one in sight.pods] == ["hello-1-head"]
    assert list(sight.warnings) == ["first", "later"]
    assert sight.logged == "501 Not Implemented"
    assert ("LIST", "/api/v1/namespaces/ray/pods?labelSelector=ray.io/cluster=hello-1") in cluster.calls


def test_a_look_at_nothing_says_what_to_do() -> None:
    task = Task(kubeconfig="", namespace="ray", operator=WHERE, kind="RayJob", name="primes")
    with pytest.raises(WatchError, match="run make up again"):
        look(ClusterDouble({}), task)  # type: ignore[arg-type]
