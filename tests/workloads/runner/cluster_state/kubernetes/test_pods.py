"""Pods as Kubernetes describes them, in; what is wrong, and which key of the stack file helps, out.

The texts are those that a kubelet and a scheduler write; only what is judged is kept of each pod.
"""

from typing import Any

import pytest

from workloads.runner.cluster_state.kubernetes.hosts import host_problems
from workloads.runner.cluster_state.kubernetes.pods import pod_problems, pod_state, restarts

HEAD = {"app.kubernetes.io/name": "ray", "app.kubernetes.io/component": "head"}
WORKER = {"app.kubernetes.io/name": "ray", "app.kubernetes.io/component": "worker"}
GROUP = {"ray.io/cluster": "ray", "ray.io/node-type": "worker", "ray.io/group": "small"}
KUBERAY_HEAD = {"ray.io/cluster": "ray", "ray.io/node-type": "head", "ray.io/group": "headgroup"}
OOM = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-27T20:00:00Z"}
# What containerd notes when a child of the container's first process was killed: "Killed  ray start --head".
KILLED = {"exitCode": 137, "reason": "Error", "finishedAt": "2026-11-27T20:00:00Z"}
BACK_OFF = {
    "waiting": {
        "reason": "CrashLoopBackOff",
        "message": "back-off 40s restarting failed container=ray-head pod=ray-head-1_ray(0b2c)",
    }
}


def pod(labels: dict[str, str], *, host: str | None = "pi1", **status: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "ray-head", "resources": {"limits": {"memory": "2560Mi"}}}]}
    return {
        "metadata": {"name": "ray-head-1", "namespace": "ray", "labels": labels},
        "spec": spec | ({"nodeName": host} if host else {}),
        "status": status,
    }


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "ray-head", "image": "rayproject/ray:none", "state": state, "restartCount": 0, **more}


def only(labels: dict[str, str], state: dict[str, Any], **more: Any) -> Any:
    (problem,) = pod_problems(
        [pod(labels, phase="Running", containerStatuses=[container(state, **more)])], []
    )
    return problem


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        (HEAD, "raise ray.headMemoryMib"),
        (KUBERAY_HEAD, "raise ray.headMemoryMib"),
        (WORKER, "raise ray.workerMemoryMib"),
        (GROUP, "raise memoryMib of group small in ray.groups"),
    ],
)
def test_a_container_that_needed_too_much_memory_is_told_with_its_limit_and_the_key_to_raise(
    labels: dict[str, str], key: str
) -> None:
    problem = only(labels, BACK_OFF, lastState={"terminated": OOM}, restartCount=3)
    assert "OOMKilled" in problem.what
    assert "its peak was its limit, 2560Mi" in problem.what
    assert "started again 3 times" in problem.what
    assert key in problem.remedy
    assert not problem.over
    assert problem.at == "2026-11-27T20:00:00Z"


def test_a_container_that_works_again_was_killed_earlier() -> None:
    running = {"running": {"startedAt": "2026-11-27T20:00:05Z"}}
    problem = only(WORKER, running, lastState={"terminated": OOM}, restartCount=1, ready=True, started=True)
    assert problem.over


def test_a_head_killed_while_it_starts_is_answered_with_its_memory() -> None:
    for state, last in ((BACK_OFF, KILLED), ({"terminated": KILLED}, None)):
        more = {"lastState": {"terminated": last}} if last else {}
        problem = only(HEAD, state, started=False, **more)
        assert "was killed while it started (exit code 137)" in problem.what
        assert "nearly always the memory" in problem.what
        assert "Its limit is 2560Mi" in problem.what
        assert problem.remedy == "raise ray.headMemoryMib in the stack file, then run `make up`."


def test_a_container_that_a_probe_ended_does_not_blame_the_memory() -> None:
    events = [
        {
            "involvedObject": {"kind": "Pod", "name": "ray-head-1"},
            "reason": "Killing",
            "message": "Container ray-head failed liveness probe, will be restarted",
        }
    ]
    status = container(BACK_OFF, lastState={"terminated": KILLED}, started=False)
    (problem,) = pod_problems([pod(HEAD, phase="Running", containerStatuses=[status])], events)
    assert "did not answer in time: Container ray-head failed liveness probe" in problem.what
    assert "piray doctor" in problem.remedy


def test_an_end_of_its_own_is_told_with_where_to_look() -> None:
    problem = only(
        WORKER, BACK_OFF, lastState={"terminated": {"exitCode": 1, "reason": "Error"}}, restartCount=2
    )
    assert "ended with exit code 1 (Error)" in problem.what
    assert problem.remedy == "`kubectl logs -n ray ray-head-1 -c ray-head --previous` shows why."


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_is_named_with_the_reason(reason: str) -> None:
    message = (
        'rpc error: code = NotFound desc = failed to pull and unpack image "rayproject/ray:none": not found'
    )
    problem = only(WORKER, {"waiting": {"reason": reason, "message": message}})
    assert "cannot get its image rayproject/ray:none" in problem.what
    assert "not found" in problem.what
    assert "ray.image" in problem.remedy


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 89Mi. "
            "Container ray-head was using 1530Mi, request is 1536Mi, has larger consumption of memory.",
            "lower ray.workerMemoryMib or lower workers",
        ),
        (
            "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 900Mi.",
            "card is nearly full",
        ),
    ],
)
def test_an_evicted_pod_is_told_with_what_its_host_lacked(message: str, remedy: str) -> None:
    (problem,) = pod_problems([pod(WORKER, phase="Failed", reason="Evicted", message=message)], [])
    assert "was evicted by its host: The node was low on resource" in problem.what
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (
            "0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint "
            "{node.kubernetes.io/unreachable: }. preemption: 0/3 nodes are available.",
            "lower ray.workerMemoryMib, lower workers, or add a host; or a host that would do is tainted",
        ),
        (
            "0/3 nodes are available: 3 Insufficient cpu.",
            "lower ray.workerCpus, lower workers, or add a host",
        ),
        (
            "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
            "no host is of that kind",
        ),
        ("0/1 nodes are available: 1 node(s) were unschedulable.", "kubectl uncordon"),
        ("something that nobody has ever seen", "run `make up`"),
    ],
)
def test_a_pod_without_a_host_is_told_with_the_schedulers_own_reason(message: str, remedy: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    (problem,) = pod_problems([pod(WORKER, host=None, phase="Pending", conditions=[condition])], [])
    assert message in problem.what
    assert remedy in problem.remedy


def test_a_pod_that_starts_that_works_or_that_goes_has_no_problem() -> None:
    starting = container({"waiting": {"reason": "ContainerCreating"}})
    working = container({"running": {}}, ready=True, started=True)
    done = container({"terminated": {"exitCode": 0, "reason": "Completed"}})
    going = pod(
        WORKER, phase="Running", containerStatuses=[container(BACK_OFF, lastState={"terminated": OOM})]
    )
    going["metadata"]["deletionTimestamp"] = "2026-11-27T20:00:00Z"
    pods = [
        *(pod(WORKER, phase="Pending", containerStatuses=[one]) for one in (starting, working, done)),
        pod(WORKER, phase="Pending"),
        going,
    ]
    assert pod_problems(pods, []) == []
    assert [pod_state(one) for one in pods] == [
        *("ContainerCreating", "Pending", "Completed", "Pending", "Terminating"),
    ]


def test_the_restarts_of_all_containers_count() -> None:
    both = [container({}, restartCount=2), container({}, restartCount=3)]
    assert restarts(pod(HEAD, containerStatuses=both)) == 5


def test_a_host_is_told_by_its_conditions() -> None:
    def host(name: str, ready: str, **pressures: str) -> dict[str, Any]:
        conditions = [{"type": "Ready", "status": ready, "message": "Kubelet stopped posting node status."}]
        conditions += [{"type": kind, "status": status, "message": ""} for kind, status in pressures.items()]
        return {"metadata": {"name": name}, "spec": {}, "status": {"conditions": conditions}}

    problems = host_problems(
        [host("pi1", "True"), host("pi2", "Unknown"), host("pi3", "True", DiskPressure="True")]
    )
    assert [problem.subject for problem in problems] == ["host pi2", "host pi3"]
    assert "Kubelet stopped posting node status" in problems[0].what
    assert "card is nearly full" in problems[1].remedy
