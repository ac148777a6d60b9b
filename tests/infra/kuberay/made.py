"""Stacks in KubeRay mode, under Pulumi's mocks."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from sandbox.engine.program.answers import RAY_TOKEN, command_answer
from sandbox.engine.stack.files import stack_config
from tests.program import Program, Registered, reveal, run_program

JOB = {"name": "primes", "entrypoint": "python primes.py"}
SERVICE = {"name": "hello", "importPath": "hello:app"}
CRON = {"name": "nightly", "schedule": "0 3 * * *", "entrypoint": "python primes.py"}
SCALED = {"name": "worker", "replicas": 1, "minReplicas": 0, "maxReplicas": 3, "cpus": 1, "memoryMib": 1024}
ALL = {
    "mode": "kuberay",
    "groups": [SCALED],
    "jobs": [JOB, {**JOB, "name": "alone", "cluster": "own", "submissionMode": "K8sJobMode"}],
    "services": [SERVICE],
    "cronJobs": [CRON],
    "operator": {"featureGates": {"RayCronJob": True}},
}


def program(
    ray: Mapping[str, object] | None = None,
    *,
    preview: bool = False,
    token: str = RAY_TOKEN,
    said: Mapping[str, str] | None = None,
    config: Mapping[str, str] | None = None,
) -> Program:
    """Run the program in KubeRay mode; `said` is what Commands print. The same is run once."""
    return _program(json.dumps([ray or {}, said or {}, config or {}]), preview, token)


@cache
def _program(given: str, preview: bool, token: str) -> Program:
    ray, said, config = json.loads(given)

    def answer(args: Any) -> Mapping[str, Any]:
        if preview:
            return {}
        printed = {"ray-token": token, **said}
        return {"stdout": printed[args.name]} if args.name in printed else command_answer(args)

    keys = {**stack_config("dev"), "piray:ray": json.dumps({"mode": "kuberay", **ray}), **config}
    if "groups" in ray:
        keys.pop("piray:workers", None)
    return run_program(keys, stack="dev", preview=preview, answer=answer)


def spec(made: Program, name: str) -> dict[str, Any]:
    """Return the spec of a custom resource."""
    found = reveal(made.named(name).inputs)["spec"]
    assert isinstance(found, dict)
    return found


def task(command: Registered) -> dict[str, Any]:
    """Return what a Command is told."""
    found = json.loads(reveal(command.inputs)["stdin"])
    assert isinstance(found, dict)
    return found


def pods_of(cluster: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the pod templates of a RayCluster's spec, by the name of their group."""
    groups = {group["groupName"]: group["template"] for group in cluster["workerGroupSpecs"]}
    return {"head": cluster["headGroupSpec"]["template"], **groups}
