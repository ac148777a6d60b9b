"""The way to the head through Kubernetes: opened, used, broken, closed, and refused with one line."""

import base64
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from workloads.pi.pod import count_inside
from workloads.runner.pi_job import read
from workloads.runner.port_forward import KubernetesError, forward, private_kubeconfig
from workloads.runner.stack_outputs import PiJobOutputs

HERE = Path(__file__).resolve().parent
POD: dict[str, Any] = {
    "metadata": {"name": "ray-head-1", "namespace": "ray", "labels": {"app": "ray-head"}},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}
OBJECTS: dict[str, Any] = {
    "namespaces": [{"metadata": {"name": "ray"}}],
    "services": [
        {"metadata": {"name": "ray-head", "namespace": "ray"}, "spec": {"selector": {"app": "ray-head"}}}
    ],
    "pods": [POD],
}


def kubeconfig(server: str, **user: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": user or {"token": "kubernetes"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


@contextmanager
def kubernetes(objects: Path, target: int) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "kubernetes_api.py"), str(objects), str(target)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


@contextmanager
def upper_case_server() -> Iterator[int]:
    """Answer every connection with what it sends, in upper case."""

    def talk(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65_536):
                connection.sendall(data.upper())

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


def ask(port: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(text)
        answer = b""
        while len(answer) < len(text):
            piece = connection.recv(65_536)
            assert piece, f"closed after {len(answer)} of {len(text)} bytes"
            answer += piece
    return answer


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(OBJECTS))
    return path


def test_bytes_pass_both_ways_over_many_connections_and_the_port_is_closed_afterwards(objects: Path) -> None:
    large = os.urandom(300_000).hex().encode()
    with upper_case_server() as target, kubernetes(objects, target) as server:
        with forward(kubeconfig(server), "ray", "ray-head", 8265) as port:
            assert [ask(port, f"request {i}".encode()) for i in range(20)] == [
                f"REQUEST {i}".encode() for i in range(20)
            ]
            assert ask(port, large) == large.upper()
        with pytest.raises(ConnectionRefusedError):
            ask(port, b"x")


def test_a_head_pod_that_is_replaced_is_found_again(objects: Path) -> None:
    with (
        upper_case_server() as target,
        kubernetes(objects, target) as server,
        forward(kubeconfig(server), "ray", "ray-head", 8265) as port,
    ):
        assert ask(port, b"before") == b"BEFORE"
        replaced = {**POD, "metadata": {**POD["metadata"], "name": "ray-head-2"}}
        objects.write_text(json.dumps({**OBJECTS, "pods": [replaced]}))
        assert ask(port, b"after") == b"AFTER"


def test_a_connection_that_is_left_open_does_not_keep_the_forward_from_closing(objects: Path) -> None:
    with upper_case_server() as target, kubernetes(objects, target) as server:
        begin = time.monotonic()
        with forward(kubeconfig(server), "ray", "ray-head", 8265) as port:
            left_open = socket.create_connection(("127.0.0.1", port))
            left_open.sendall(b"x")
            assert left_open.recv(1) == b"X"
        left_open.close()
        assert time.monotonic() - begin < 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"namespaces": [], "services": []},
            "namespace ray: the cluster has no such namespace; run `make up`",
        ),
        ({"services": []}, "the cluster has no Service ray-head; run `make up`"),
        ({"pods": []}, "no pod behind Service ray-head is ready (there is none)"),
        ({"pods": [{**POD, "status": {"phase": "Pending"}}]}, "ray-head-1 is Pending"),
        (
            {"pods": [{**POD, "metadata": {**POD["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}]},
            "ray-head-1 is Running, not ready",
        ),
        (
            {
                "pods": [
                    {
                        **POD,
                        "status": {
                            "phase": "Pending",
                            "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}],
                        },
                    }
                ]
            },
            "ray-head-1 is ImagePullBackOff",
        ),
    ],
)
def test_what_is_missing_in_the_cluster_is_one_line(
    change: dict[str, Any], message: str, objects: Path
) -> None:
    objects.write_text(json.dumps({**OBJECTS, **change}))
    with (
        kubernetes(objects, 9) as server,
        pytest.raises(KubernetesError) as caught,
        forward(kubeconfig(server), "ray", "ray-head", 8265),
    ):
        pass
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_credentials_that_are_refused_are_one_line(objects: Path) -> None:
    with (
        kubernetes(objects, 9) as server,
        pytest.raises(KubernetesError, match="refuses the stack's credentials"),
        forward(kubeconfig(server, token="other"), "ray", "ray-head", 8265),
    ):
        pass


def test_a_server_that_is_away_is_one_line() -> None:
    with (
        pytest.raises(KubernetesError, match="Kubernetes at http://127.0.0.1:9 cannot be reached"),
        forward(kubeconfig("http://127.0.0.1:9"), "ray", "ray-head", 8265),
    ):
        pass


@pytest.mark.parametrize("text", ["", "a: [", "[]", "{}", "clusters: []", "contexts: 3"])
def test_text_that_is_no_kubeconfig_is_one_line(text: str) -> None:
    with pytest.raises(KubernetesError, match="no kubeconfig"), private_kubeconfig(text):
        pass


def test_the_keys_of_a_kubeconfig_are_private_and_leave_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    secret = base64.b64encode(b"-----BEGIN KEY-----").decode()
    text = kubeconfig("https://198.51.100.1:6443", **{"client-key-data": secret})
    with private_kubeconfig(text) as config:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
        assert stat.S_IMODE(config.path.parent.stat().st_mode) == 0o700
        assert b"-----BEGIN KEY-----" in {path.read_bytes() for path in files}
        assert secret not in config.path.read_text()
    assert list(tmp_path.rglob("*")) == []


def pi_objects(
    change: Callable[[dict[str, Any], list[dict[str, Any]]], None] | None = None,
) -> dict[str, Any]:
    job: dict[str, Any] = {
        "metadata": {"name": "pi", "namespace": "ray"},
        "status": {"succeeded": 2, "conditions": [{"type": "Complete", "status": "True"}]},
    }
    pods = [
        {
            "metadata": {
                "name": f"pi-{index}",
                "namespace": "ray",
                "labels": {"batch.kubernetes.io/job-name": "pi"},
                "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
            },
            "spec": {"nodeName": f"pi{index + 1}"},
            "status": {
                "phase": "Succeeded",
                "containerStatuses": [
                    {
                        "state": {
                            "terminated": {
                                "startedAt": "2026-01-01T00:00:00Z",
                                "finishedAt": f"2026-01-01T00:00:0{index + 2}Z",
                                "message": json.dumps(
                                    {
                                        "index": index,
                                        "samples": 1000,
                                        "num_inside": count_inside(1000, 5, index),
                                        "wall_s": 1.5,
                                    }
                                ),
                            }
                        }
                    }
                ],
            },
        }
        for index in range(2)
    ]
    if change is not None:
        change(job, pods)
    return {**OBJECTS, "jobs": [job], "pods": pods}


PI_JOB = PiJobOutputs(name="pi", completions=2, parallelism=2, samples=1000, seed=5)


def test_the_pi_jobs_counts_are_read_from_its_pods(objects: Path) -> None:
    labels = {"batch.kubernetes.io/job-name": "pi"}
    failed = {
        "metadata": {"name": "pi-0-x", "namespace": "ray", "labels": labels},
        "status": {"phase": "Failed"},
    }
    objects.write_text(json.dumps(pi_objects(lambda _, pods: pods.append(failed))))
    with kubernetes(objects, 9) as server:
        run = read(kubeconfig(server), "ray", PI_JOB)
    assert [(part.index, part.node, part.pod) for part in run.parts] == [
        (0, "pi1", "pi-0"),
        (1, "pi2", "pi-1"),
    ]
    assert [part.num_inside for part in run.parts] == [count_inside(1000, 5, 0), count_inside(1000, 5, 1)]
    assert run.wall_s == 3.0


def unfinished(job: dict[str, Any], _: list[dict[str, Any]]) -> None:
    job["status"] = {"succeeded": 1}


def failed(job: dict[str, Any], _: list[dict[str, Any]]) -> None:
    job["status"]["conditions"] = [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]


def cleaned_up(_: dict[str, Any], pods: list[dict[str, Any]]) -> None:
    pods.pop()


def silent(_: dict[str, Any], pods: list[dict[str, Any]]) -> None:
    pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = "Killed"


def other_samples(_: dict[str, Any], pods: list[dict[str, Any]]) -> None:
    message = {"index": 0, "samples": 7, "num_inside": 5, "wall_s": 1}
    pods[0]["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = json.dumps(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unfinished, "the π Job pi is still running (1 of 2 indices done)"),
        (failed, "the π Job pi failed (DeadlineExceeded: )"),
        (cleaned_up, "the pods of index 1 of the π Job pi are gone"),
        (silent, "pod pi-0 left no count"),
        (other_samples, "pod pi-0 counted 7 samples"),
    ],
)
def test_a_pi_job_without_a_whole_result_is_one_line(change: Any, message: str, objects: Path) -> None:
    objects.write_text(json.dumps(pi_objects(change)))
    with kubernetes(objects, 9) as server, pytest.raises(Exception) as caught:  # noqa: PT011 — the message tells
        read(kubeconfig(server), "ray", PI_JOB)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pi_job_that_is_not_there_is_one_line(objects: Path) -> None:
    with kubernetes(objects, 9) as server, pytest.raises(KubernetesError, match="has no Job pi"):
        read(kubeconfig(server), "ray", PI_JOB)


def test_piray_run_pi_shows_the_jobs_pods_and_counts_them_again(objects: Path, tmp_path: Path) -> None:
    objects.write_text(json.dumps(pi_objects()))
    with kubernetes(objects, 9) as server:
        outputs = {
            "contractVersion": 1,
            "platform": "pi",
            "rayVersion": "2.60.0",
            "rayToken": "token-value",
            "workers": 3,
            "kubeconfig": kubeconfig(server),
            "namespace": "ray",
            "headService": "ray-head",
            "dashboardPort": 8265,
            "piJob": {"name": "pi", "completions": 2, "parallelism": 2, "samples": 1000, "seed": 5},
        }
        done = subprocess.run(
            [sys.executable, "-m", "workloads.cli", "run", "pi", "--outputs=-"],
            input=json.dumps(outputs),
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(HERE.parents[2]), "COLUMNS": "100"},
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "pi-0" in done.stdout
    values = json.loads((tmp_path / "pi.json").read_text())
    assert [part["pod"] for part in values["parts"]] == ["pi-0", "pi-1"]
    assert values["num_inside"] == count_inside(1000, 5, 0) + count_inside(1000, 5, 1)
    assert values["wall_s"] == 3.0
