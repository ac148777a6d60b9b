"""Decides what the pods of a stack's π Job say: which index ran where, what it counted, how long it took."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kr8s.asyncio.objects import Job, Pod

from workloads.pi.pod import Estimate
from workloads.results.tables import PiPart
from workloads.runner.kubernetes_api import KubernetesError, connect, private_kubeconfig, run_on
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
        parts: One for each index.
        wall_s: Seconds from the first pod's start to the last one's end, by the cluster's clock.
    """

    parts: tuple[PiPart, ...]
    wall_s: float


def read(kubeconfig: str, namespace: str, job: PiJobOutputs) -> PiJobRun:
    """Read the finished Job of a stack.

    Args:
        kubeconfig: Contents of a kubeconfig. Secret.
        namespace: Namespace of the Job.
        job: What the stack declares.

    Raises:
        KubernetesError: If Kubernetes cannot be reached or the Job is missing.
        PiJobError: If the Job has no whole result.
    """
    status, pods = run_on(asyncio.new_event_loop(), _fetch(kubeconfig, namespace, job.name))
    check_finished(status, namespace, job)
    return collect(pods, job)


def check_finished(status: Mapping[str, Any], namespace: str, job: PiJobOutputs) -> None:
    """Refuse a Job that is not complete.

    Args:
        status: The Job's status.
        namespace: Namespace of the Job, for messages.
        job: What the stack declares.

    Raises:
        PiJobError: If it failed or is still running.
    """
    conditions = {one["type"]: one for one in status.get("conditions", []) if one.get("status") == "True"}
    if "Failed" in conditions:
        failed = conditions["Failed"]
        raise PiJobError(
            f"the π Job {job.name} failed ({failed.get('reason', '?')}: {failed.get('message', '')}): see "
            f"`kubectl -n {namespace} logs job/{job.name}`, "
            "then change piJob in the stack's config and `make up`."
        )
    if "Complete" not in conditions:
        raise PiJobError(
            f"the π Job {job.name} is still running ({status.get('succeeded', 0)} of {job.completions} "
            f"indices done): wait, then run this again; `kubectl -n {namespace} get pods` shows its pods."
        )


def collect(pods: Iterable[Mapping[str, Any]], job: PiJobOutputs) -> PiJobRun:
    """Collect the counts from the pods' termination messages.

    Args:
        pods: Pods of the Job as Kubernetes gives them; those that failed and were replaced are left out.
        job: What the stack declares.

    Raises:
        PiJobError: If an index has no pod any more, or a message is not what the stack's Job writes.
    """
    parts: dict[int, PiPart] = {}
    times: list[datetime] = []
    for pod in pods:
        if pod.get("status", {}).get("phase") != "Succeeded":
            continue
        part, started, finished = _part(pod, job)
        parts[part.index] = part
        times += [started, finished]
    missing = sorted(set(range(job.completions)) - set(parts))
    if missing:
        raise PiJobError(
            f"the pods of index {', '.join(map(str, missing))} of the π Job {job.name} are gone, "
            "and their counts with them: change piJob.seed in the stack's config and `make up` again."
        )
    # Kubernetes keeps whole seconds only: a quick Job would have taken no time at all.
    longest = max(part.wall_s for part in parts.values())
    return PiJobRun(_ordered(parts), max((max(times) - min(times)).total_seconds(), longest))


async def _fetch(kubeconfig: str, namespace: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with private_kubeconfig(kubeconfig) as config:
        async with connect(config) as api:
            jobs = [
                dict(one)
                async for one in api.async_get(Job, name, namespace=namespace, raw=True)
                if isinstance(one, Mapping)
            ]
            if not jobs:
                raise KubernetesError(
                    f"namespace {namespace} has no Job {name}: run `make up` for the stack."
                )
            pods = [
                dict(pod)
                async for pod in api.async_get(
                    Pod, namespace=namespace, label_selector={LABEL_JOB: name}, raw=True
                )
                if isinstance(pod, Mapping)
            ]
            return dict(jobs[0].get("status", {})), pods


def _part(pod: Mapping[str, Any], job: PiJobOutputs) -> tuple[PiPart, datetime, datetime]:
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
        Estimate(part.samples, part.num_inside)
        times = (
            datetime.fromisoformat(terminated["startedAt"]),
            datetime.fromisoformat(terminated["finishedAt"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise PiJobError(
            f"pod {name} left no count in its termination message ({type(error).__name__}: {error}): "
            "was it made by this version of piray? Run `make up` for the stack."
        ) from None
    if part.samples != job.samples or message.get("index") != index:
        raise PiJobError(
            f"pod {name} counted {part.samples} samples as index {message.get('index')}, the stack says "
            f"{job.samples} as index {index}: run `make up` for the stack."
        )
    return part, *times


def _ordered(parts: Mapping[int, PiPart]) -> tuple[PiPart, ...]:
    indices: Sequence[int] = sorted(parts)
    return tuple(parts[index] for index in indices)
