"""The π Job as Kubernetes and Pulumi will treat it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.config.model import StackConfig
from infra.config.parse import parse
from infra.pi_job import component, manifest
from sandbox.engine.program.answers import command_answer
from sandbox.engine.stack.files import stack_config
from tests.program import Program, run_program
from workloads.pi.kernel import count_inside

ROOT = Path(__file__).resolve().parents[3]


def stack(**pi_job: int) -> StackConfig:
    hosts = [{"name": "pi1", "address": "198.51.100.11", "role": "server"}]
    return parse(
        {
            "platform": "pi",
            "hosts": hosts,
            "ssh": {"user": "pi"},
            "insecureHostKeys": True,
            "piJob": pi_job,
        }
    )


def job(**pi_job: int) -> dict[str, Any]:
    config = stack(**pi_job)
    return manifest.pi_job(config.pi_job, config.ray.image, config.arch, "ray", "script")


def up(**pi_job: int) -> Program:
    config = {**stack_config("dev"), "piray:piJob": json.dumps(pi_job)}
    return run_program(config, stack="dev", preview=False, answer=command_answer)


def test_each_index_is_one_pod_that_is_told_its_samples_and_seed() -> None:
    spec = job(completions=5, parallelism=2, samples=1000, seed=7)["spec"]
    assert spec["completionMode"] == "Indexed"
    assert (spec["completions"], spec["parallelism"]) == (5, 2)
    (container,) = spec["template"]["spec"]["containers"]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert (environment["PIRAY_PI_SAMPLES"], environment["PIRAY_PI_SEED"]) == ("1000", "7")


def test_it_fails_in_the_two_ways_that_pulumi_notices() -> None:
    """pulumi-kubernetes ends its wait for BackoffLimitExceeded and DeadlineExceeded only."""
    spec = job()["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["backoffLimit"] >= 0
    assert not {"backoffLimitPerIndex", "maxFailedIndexes", "podFailurePolicy", "successPolicy"} & set(spec)


def test_it_stays_until_pulumi_removes_it() -> None:
    assert "ttlSecondsAfterFinished" not in job()["spec"]


def test_more_work_for_fewer_pods_at_a_time_gets_more_time() -> None:
    def deadline(**pi_job: int) -> int:
        return int(job(**pi_job)["spec"]["activeDeadlineSeconds"])

    assert deadline() >= 1800
    assert deadline(samples=10**12) > deadline()
    assert deadline(completions=4, parallelism=1) > deadline(completions=4, parallelism=4)


def test_the_number_travels_in_the_termination_message() -> None:
    (container,) = job()["spec"]["template"]["spec"]["containers"]
    assert container["terminationMessagePath"] == "/dev/termination-log"


def test_a_change_of_any_number_makes_a_new_job_and_leaves_the_rest_alone() -> None:
    before = {resource.name: resource.inputs for resource in up().resources}
    for change in ({"samples": 5}, {"seed": 1}, {"completions": 2, "parallelism": 2}):
        after = {resource.name: resource.inputs for resource in up(**change).resources}
        assert {name for name in before if before[name] != after[name]} == {"pi-job"}
        # A Job's spec cannot be changed, so another one is a replacement.
        assert before["pi-job"]["metadata"]["name"] != after["pi-job"]["metadata"]["name"]


def test_a_job_that_failed_is_replaced_by_the_next_up() -> None:
    assert job()["metadata"]["annotations"]["pulumi.com/replaceUnready"] == "true"


def test_the_runner_is_told_the_real_name_and_the_numbers() -> None:
    program = up(completions=2, parallelism=1, samples=1000, seed=3)
    assert program.outputs["piJob"] == {
        "name": program.named("pi-job").inputs["metadata"]["name"],
        "completions": 2,
        "parallelism": 1,
        "samples": 1000,
        "seed": 3,
    }


def test_the_job_has_the_program_of_the_workloads_and_waits_for_ray() -> None:
    program = up()
    config_map = program.named("pi-program")
    job_resource = program.named("pi-job")
    assert mounted(program) == {
        file: (ROOT / file).read_text(encoding="utf-8") for file in manifest.PROGRAM_FILES
    }
    # https://kubernetes.io/docs/concepts/configuration/configmap/#configmap-object
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]+", key) for key in config_map.inputs["data"])
    for deployment in program.of_type(":Deployment"):
        assert program.comes_after(job_resource, deployment)


def test_a_change_of_the_program_makes_a_new_config_map_and_a_new_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other data are another ConfigMap, whose name is in the Job's volume."""
    before = up().named("pi-program").inputs
    shutil.copytree(ROOT / "workloads/pi", tmp_path / "workloads/pi")
    shutil.copy(ROOT / "workloads/__init__.py", tmp_path / "workloads")
    monkeypatch.setattr(component, "_ROOT", tmp_path)
    assert up().named("pi-program").inputs == before
    for file in manifest.PROGRAM_FILES:
        with (tmp_path / file).open("a") as source:
            source.write("# changed\n")
        after = up().named("pi-program").inputs
        assert after != before
        assert after["metadata"]["name"] != before["metadata"]["name"]
        before = after


def mounted(program: Program) -> dict[str, str]:
    """Return the files that the pod finds in its working directory, by path, as Kubernetes lays them out."""
    config_map = program.named("pi-program")
    spec = program.named("pi-job").inputs["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    (volume,) = (volume for volume in spec["volumes"] if "configMap" in volume)
    assert volume["configMap"]["name"] == config_map.inputs["metadata"]["name"]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == volume["name"])
    assert mount["mountPath"] == container["workingDir"]
    return {item["path"]: config_map.inputs["data"][item["key"]] for item in volume["configMap"]["items"]}


@pytest.mark.parametrize(("index", "numba"), [(0, True), (2, True), (1, False)])
def test_the_container_counts_its_own_samples(tmp_path: Path, index: int, numba: bool) -> None:
    """Runs what the pod runs: the mounted files alone, by the container's command and environment."""
    program = up(completions=3, parallelism=3, samples=20_000, seed=1)
    for path, text in mounted(program).items():
        (tmp_path / "program" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "program" / path).write_text(text, encoding="utf-8")
    (container,) = program.named("pi-job").inputs["spec"]["template"]["spec"]["containers"]
    python, *arguments = container["command"]
    assert python == "python"
    environment = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    environment |= {
        "JOB_COMPLETION_INDEX": str(index),
        "PIRAY_TERMINATION_LOG": str(tmp_path / "message"),
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    if not numba:
        (tmp_path / "without").mkdir()
        for module in ("numba", "llvmlite"):
            (tmp_path / "without" / f"{module}.py").write_text("raise ImportError")
        environment["PYTHONPATH"] = str(tmp_path / "without")
    subprocess.run([sys.executable, *arguments], env=environment, cwd=tmp_path / "program", check=True)
    message = json.loads((tmp_path / "message").read_text())
    assert message.pop("wall_s") > 0
    assert message == {"index": index, "samples": 20_000, "num_inside": count_inside(20_000, 1, index)}
    assert abs(4 * message["num_inside"] / 20_000 - 3.1416) < 0.06
