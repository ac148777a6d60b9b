"""The π Job's pods: their counts are read and counted again, or it is said in one line why not."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.runner.fake_kubernetes import OBJECTS, kubeconfig, kubernetes
from workloads.pi.kernel import count_inside
from workloads.runner.kubeconfig import KubernetesError
from workloads.runner.pi_job import read
from workloads.runner.stack_outputs import PiJobOutputs

ROOT = Path(__file__).resolve().parents[3]


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
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "pi-0" in done.stdout
    values = json.loads((tmp_path / "pi.json").read_text())
    assert [part["pod"] for part in values["parts"]] == ["pi-0", "pi-1"]
    assert values["num_inside"] == count_inside(1000, 5, 0) + count_inside(1000, 5, 1)
    assert values["wall_s"] == 3.0
