"""Decides why a pod does not run, or was started again, in words with the remedy. Pure: Kubernetes' JSON in.

The states: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/. A reason is the kubelet's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workloads.runner.cluster_state.kubernetes.hosts import placing_remedy
from workloads.runner.cluster_state.kubernetes.role import PodRole, role_of
from workloads.runner.cluster_state.problem import Problem

_PULLS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_CANNOT_START = (
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PostStartHookError",
)
# Of a process that SIGKILL ended, as a shell and as containerd say it.
_KILLED = 137
_PROBES = ("Liveness probe", "Startup probe", "liveness probe", "startup probe")
_MESSAGE_CHARACTERS = 300


def pod_problems(pods: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return what keeps pods from running and what has ended them, pods in their order.

    Args:
        pods: Pods as the API has them; those that are being deleted are left out.
        events: Events of the namespace.
    """
    here = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return [problem for pod in here for problem in _problems(pod, _events_of(pod, events))]


def pod_state(pod: Mapping[str, Any]) -> str:
    """Return one word for what a pod does, as kubectl does: the reason of a container, else the phase."""
    status = pod.get("status", {})
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    for container in _containers(status):
        state = container.get("state", {})
        for part in ("waiting", "terminated"):
            if reason := (state.get(part) or {}).get("reason"):
                return str(reason)
    phase = str(status.get("reason") or status.get("phase", "Unknown"))
    ready = _condition(status, "Ready").get("status") == "True"
    return "Running, not ready" if phase == "Running" and not ready else phase


def restarts(pod: Mapping[str, Any]) -> int:
    """Return how often containers of a pod were started again."""
    return sum(int(one.get("restartCount", 0)) for one in _containers(pod.get("status", {})))


def _problems(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    name, status, role = pod["metadata"]["name"], pod.get("status", {}), role_of(pod)
    subject = _subject(pod, role)
    if status.get("reason") == "Evicted":
        yield _evicted(subject, status, role)
        return
    placed = _condition(status, "PodScheduled")
    if placed.get("status") == "False" and placed.get("reason") == "Unschedulable":
        said = str(placed.get("message", ""))
        yield Problem(
            subject, f"waits for a host. The scheduler says: {_cut(said)}", placing_remedy(said, role)
        )
    if status.get("phase") == "Failed" and not _containers(status):
        yield Problem(subject, f"has failed: {_said(status)}", _describe(pod, name))
    for container in _containers(status):
        yield from _of_container(subject, pod, container, events)


def _of_container(
    subject: str, pod: Mapping[str, Any], container: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> Iterator[Problem]:
    state, role = container.get("state", {}), role_of(pod)
    waiting = state.get("waiting") or {}
    reason = str(waiting.get("reason", ""))
    if reason in _PULLS:
        yield Problem(
            subject,
            f"cannot get its image {container.get('image', '')}: {_cut(_said(waiting))}",
            "look at ray.image in the stack file: is the name right, is it there for this processor, and "
            "do the Pis reach its registry (or the mirror)?",
        )
    elif reason in _CANNOT_START:
        yield Problem(
            subject, f"cannot be started: {_cut(_said(waiting))}", "run `make up` for the stack again."
        )
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated")
    if ended and int(ended.get("exitCode", 0)) != 0:
        # Running again, and ready: what ended it is history.
        over = "running" in state and bool(container.get("ready"))
        what, remedy = _end(pod, container, ended, events, role)
        again = container.get("restartCount", 0)
        times = f" It was started again {again} time{'' if again == 1 else 's'}." if again else ""
        yield Problem(subject, what + times, remedy, over, str(ended.get("finishedAt") or ""))


def _end(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    ended: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]],
    role: PodRole,
) -> tuple[str, str]:
    """Return what ended a container, and the remedy."""
    limit = _memory_limit(pod, container["name"])
    code = int(ended["exitCode"])
    if ended.get("reason") == "OOMKilled":
        return (
            f"was killed because it needed more memory than it may use (OOMKilled): its peak was its limit, "
            f"{limit}.",
            _more_memory(role),
        )
    probe = next((text for text in map(_message, events) if any(one in text for one in _PROBES)), None)
    if code == _KILLED and probe:
        return (
            f"was ended because it did not answer in time: {_cut(probe)}",
            "look at the host with `piray doctor`: is it overloaded or slowed down, is its card slow?",
        )
    if code == _KILLED:
        while_starting = " while it started" if not container.get("started") else ""
        return (
            f"was killed{while_starting} (exit code {code}). That is nearly always the memory: Kubernetes "
            f"notes OOMKilled only if it was the container's first process. Its limit is {limit}.",
            _more_memory(role),
        )
    where = f"-n {pod['metadata'].get('namespace', '')} {pod['metadata']['name']} -c {container['name']}"
    return (
        f"ended with exit code {code} ({_cut(_said(ended))}).",
        f"`kubectl logs {where}{' --previous' if container.get('restartCount') else ''}` shows why.",
    )


def _evicted(subject: str, status: Mapping[str, Any], role: PodRole) -> Problem:
    said = str(status.get("message", ""))
    remedy = "look at the host with `piray doctor`."
    if "ephemeral-storage" in said or "DiskPressure" in said:
        remedy = "its host's card is nearly full: remove what is not needed there, or use a larger card."
    elif "memory" in said:
        less = " or ".join(f"lower {key}" for key in (role.memory, role.count) if key)
        remedy = f"its host had no memory left: {less or 'run less there'} in the stack file, then `make up`."
    return Problem(
        subject, f"was evicted by its host: {_cut(said)}", remedy, at=str(status.get("startTime", ""))
    )


def _more_memory(role: PodRole) -> str:
    if role.memory is None:
        return "give it more memory."
    return f"raise {role.memory} in the stack file, then run `make up`."


def _subject(pod: Mapping[str, Any], role: PodRole) -> str:
    host = pod.get("spec", {}).get("nodeName")
    return f"{role.name} {pod['metadata']['name']}{f' on {host}' if host else ''}"


def _describe(pod: Mapping[str, Any], name: str) -> str:
    return f"`kubectl -n {pod['metadata'].get('namespace', '')} describe pod {name}` shows more."


def _containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((one for one in status.get("conditions", []) if one.get("type") == kind), {})


def _memory_limit(pod: Mapping[str, Any], container: str) -> str:
    spec = pod.get("spec", {})
    for one in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        if one["name"] == container:
            return str(one.get("resources", {}).get("limits", {}).get("memory", "none"))
    return "not known"


def _events_of(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the events of a pod, the latest first."""
    own = [
        one
        for one in events
        if one.get("involvedObject", {}).get("kind") == "Pod"
        and one["involvedObject"].get("name") == pod["metadata"]["name"]
        and one.get("reason") in ("Killing", "Unhealthy")
    ]
    return sorted(
        own, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""), reverse=True
    )


def _message(event: Mapping[str, Any]) -> str:
    # A readiness probe ends nothing.
    killing = event.get("reason") == "Killing"
    return str(event.get("message", "")) if killing else ""


def _said(of: Mapping[str, Any]) -> str:
    return ": ".join(str(of[key]) for key in ("reason", "message") if of.get(key)) or "no reason given"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_CHARACTERS else f"{line[: _MESSAGE_CHARACTERS - 1]}…"
