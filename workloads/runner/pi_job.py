"""Decides what the pods of a stack's π Job say: which index ran where, what it counted, how long it took.

Reads a Job that has run. `infra/pi_job` declares it, and `workloads/pi/pod.py` is what its pods run.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import kr8s.asyncio
from kr8s.asyncio.objects import Job, Pod

from workloads.pi.estimate import Estimate
from workloads.results.pi_records import PiPart
from workloads.runner.kubeconfig import KubernetesError, private_kubeconfig
from workloads.runner.kubernetes_api import connect, run_on
from workloads.runner.stack_outputs import PiJobOutputs

# Labels and annotations of the Job controller.
# https://kubernetes.io/docs/reference/labels-annotations-taints/
LABEL_JOB = "batch.kubernetes.io/job-name"
ANNOTATION_INDEX = "batch.kubernetes.io/job-completion-index"


class PiJobError(Exception):
    """The π Job has no result; one line that says what to do."""


@dataclass(frozen=True)
class PiJobRun:
    """A finished π Job.

    Attributes:
        parts: One for each index, in order.
        wall_s: Seconds from the first pod's start to the last one's end, by the cluster's clock.
    """

    parts: tuple[PiPart, ...]
    wall_s: float


def read(kubeconfig: str, namespace: str, declared: PiJobOutputs) -> PiJobRun:
    """Read the finished π Job of a stack.

    Args:
        kubeconfig: Contents of a kubeconfig. Secret.
        namespace: Namespace of the Job.
        declared: The Job as the stack declares it.

    Raises:
        KubernetesError: If Kubernetes cannot be reached or the Job is missing.
        PiJobError: If the Job has no whole result.
    """
    status, pods = run_on(asyncio.new_event_loop(), _fetch(kubeconfig, namespace, declared.name))
    check_finished(status, namespace, declared)
    return collect(pods, declared)


def check_finished(status: Mapping[str, Any], namespace: str, declared: PiJobOutputs) -> None:
    """Refuse a Job that is not complete.

    Args:
        status: The Job's status.
        namespace: Namespace of the Job, for messages.
        declared: The Job as the stack declares it.

    Raises:
        PiJobError: If it failed or is still running.
    """
    conditions = {one["type"]: one for one in status.get("conditions", []) if one.get("status") == "True"}
    if "Failed" in conditions:
        failed = conditions["Failed"]
        raise PiJobError(
            f"the π Job {declared.name} failed ({failed.get('reason', '?')}: {failed.get('message', '')}): "
            f"`kubectl -n {namespace} logs job/{declared.name}` shows more; "
            "then change piJob in the stack's config and run `make up`."
        )
    if "Complete" not in conditions:
        raise PiJobError(
            f"the π Job {declared.name} is still running ({status.get('succeeded', 0)} of "
            f"{declared.completions} indices done): wait, then run this again; "
            f"`kubectl -n {namespace} get pods` shows its pods."
        )


def collect(pods: Iterable[Mapping[str, Any]], declared: PiJobOutputs) -> PiJobRun:
    """Collect the counts from the pods' termination messages.

    Args:
        pods: Pods of the Job as Kubernetes gives them; those that failed and were replaced are left out.
        declared: The Job as the stack declares it.

    Raises:
        PiJobError: If an index has no pod any more, or a message is not what the stack's Job writes.
    """
    parts: dict[int, PiPart] = {}
    times: list[datetime] = []
    for pod in pods:
        if pod.get("status", {}).get("phase") != "Succeeded":
            continue
        part, started, finished = _part(pod, declared)
        parts[part.index] = part
        times += [started, finished]
    missing = sorted(set(range(declared.completions)) - set(parts))
    if missing:
        raise PiJobError(
            f"the pods of index {', '.join(map(str, missing))} of the π Job {declared.name} are gone, and "
            "their counts with them: change piJob.seed in the stack's config and run `make up` again."
        )
    # Kubernetes keeps whole seconds only: a quick Job would have taken no time at all.
    longest = max(part.wall_s for part in parts.values())
    wall_s = max((max(times) - min(times)).total_seconds(), longest)
    return PiJobRun(tuple(parts[index] for index in sorted(parts)), wall_s)


async def _fetch(kubeconfig: str, namespace: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the status of a Job, and its pods."""
    with private_kubeconfig(kubeconfig) as config:
        async with connect(config) as api:
            jobs = await _found(api, Job, name, namespace=namespace)
            if not jobs:
                raise KubernetesError(
                    f"namespace {namespace} has no Job {name}: run `make up` for the stack."
                )
            pods = await _found(api, Pod, namespace=namespace, label_selector={LABEL_JOB: name})
            return dict(jobs[0].get("status", {})), pods


async def _found(api: kr8s.asyncio.Api, *what: Any, **where: Any) -> list[dict[str, Any]]:
    found = api.async_get(*what, **where, raw=True)
    return [dict(one) async for one in found if isinstance(one, Mapping)]


def _part(pod: Mapping[str, Any], declared: PiJobOutputs) -> tuple[PiPart, datetime, datetime]:
    """Return what a pod counted, when it started, and when it finished."""
    name = pod["metadata"]["name"]
    try:
        index = int(pod["metadata"]["annotations"][ANNOTATION_INDEX])
        terminated = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        message = json.loads(terminated["message"])
        part = PiPart(
            index=index,
            samples=int(message["samples"]),
            num_inside=int(message["num_inside"]),
            wall_s=float(message["wall_s"]),
            node=pod["spec"]["nodeName"],
            pod=name,
        )
        # Refuses counts that no samples can have.
        Estimate(part.samples, part.num_inside)
        started, finished = (datetime.fromisoformat(terminated[key]) for key in ("startedAt", "finishedAt"))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise PiJobError(
            f"pod {name} left no count in its termination message ({type(error).__name__}: {error}): "
            "was it made by this version of piray? Run `make up` for the stack."
        ) from None
    if part.samples != declared.samples or message.get("index") != index:
        raise PiJobError(
            f"pod {name} counted {part.samples} samples as index {message.get('index')}, the stack says "
            f"{declared.samples} as index {index}: run `make up` for the stack."
        )
    return part, started, finished
