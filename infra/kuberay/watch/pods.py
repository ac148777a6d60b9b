"""Why a pod does not run, in its own words, and for how long it makes sense to wait. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.kuberay.watch.verdict import Problem, conditions

# A registry, or the way to it, may come back.
_PULL_S = 300.0
# A host that restarts is away for as long.
_UNSCHEDULED_S = 240.0
_NEVER_S = 30.0
_RESTARTS = 3

_WAITING_S = {
    "ErrImagePull": _PULL_S,
    "ImagePullBackOff": _PULL_S,
    "InvalidImageName": 0.0,
    "ErrImageNeverPull": 0.0,
    "CreateContainerConfigError": _NEVER_S,
    "CreateContainerError": _NEVER_S,
    "RunContainerError": _NEVER_S,
}


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod works and is to stay."""
    ready = conditions(pod.get("status", {})).get("Ready", {}).get("status") == "True"
    return ready and not is_going(pod)


def is_going(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod was told to go."""
    return "deletionTimestamp" in pod["metadata"]


def problems_of(pods: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return what keeps pods from running; nothing for those that start or are on their way out."""
    return [problem for pod in pods if not is_going(pod) for problem in _problems(pod)]


def _problems(pod: Mapping[str, Any]) -> Iterator[Problem]:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    scheduled = conditions(status).get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        yield Problem(f"pod {name} has no host: {scheduled.get('message')}", _UNSCHEDULED_S, "place")
    if status.get("phase") == "Failed":
        yield Problem(f"pod {name} has failed: {_said(status)}", _NEVER_S, "failed")
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        yield from _of_container(name, container, pod)


def _of_container(name: str, container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[Problem]:
    where = f"pod {name}, container {container['name']}"
    ended = container.get("lastState", {}).get("terminated") or container.get("state", {}).get("terminated")
    killed = ended is not None and ended.get("reason") == "OOMKilled"
    if killed:
        yield Problem(
            f"{where} was killed (OOMKilled): it needs more memory than its limit of "
            f"{_limit(container, pod)}; give it more in the stack file (docs/kuberay.md)",
            0.0 if container.get("restartCount", 0) >= _RESTARTS else None,
            "memory",
        )
    waiting = container.get("state", {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason in _WAITING_S:
        yield Problem(
            f"{where}: {_said(waiting)}", _WAITING_S[reason], "image" if "Pull" in reason else reason
        )
    elif reason == "CrashLoopBackOff" and not killed:
        code = f", exit code {ended['exitCode']}" if ended else ""
        yield Problem(
            f"{where} ends again and again ({_said(ended or waiting)}{code}); `kubectl -n "
            f"{pod['metadata']['namespace']} logs {name} -c {container['name']} --previous` shows why",
            0.0 if container.get("restartCount", 0) >= _RESTARTS else None,
        )


def _limit(container: Mapping[str, Any], pod: Mapping[str, Any]) -> str:
    for one in pod.get("spec", {}).get("containers", []):
        if one["name"] == container["name"]:
            return str(one.get("resources", {}).get("limits", {}).get("memory", "none"))
    return "none"


def _said(of: Mapping[str, Any]) -> str:
    return ": ".join(str(of[key]) for key in ("reason", "message") if of.get(key)) or "no reason given"
