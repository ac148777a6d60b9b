"""Decides what the status of a cluster is: two sources, read apart, and what is missing if one is silent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloads.runner.cluster_state.kubernetes.hosts import host_problems
from workloads.runner.cluster_state.kubernetes.pods import pod_problems, pod_state, restarts
from workloads.runner.cluster_state.kubernetes.role import role_of
from workloads.runner.cluster_state.kubernetes.view import KubernetesView, read_kubernetes
from workloads.runner.cluster_state.problem import Problem
from workloads.runner.cluster_state.ray.status import RayStatus, read_ray
from workloads.runner.jobs_api.dashboard import ClusterError
from workloads.runner.kubeconfig import KubernetesError

if TYPE_CHECKING:
    from workloads.runner.target import StackTarget


@dataclass(frozen=True)
class PodRow:
    """A pod: what it is, its state in a word, where it is, and how often it was started again."""

    name: str
    role: str
    state: str
    host: str
    restarts: int


@dataclass(frozen=True, kw_only=True)
class ClusterStatus:
    """What a cluster does, and what is wrong.

    Attributes:
        target: Name of the cluster.
        ray: What Ray says; None if it does not answer.
        pods: The pods of the stack; empty without Kubernetes.
        problems: Of pods and hosts first, then of Ray.
        missing: What could not be read, one sentence for each source.
    """

    target: str
    ray: RayStatus | None
    pods: tuple[PodRow, ...]
    problems: tuple[Problem, ...]
    missing: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Whether both sources answered and nothing is wrong now; what waits in Ray is no fault."""
        return not self.missing and all(problem.over for problem in self.problems)


def read_status(target: "StackTarget") -> ClusterStatus:
    """Read the status of a stack's cluster; a source that does not answer is named in it."""
    missing: list[str] = []
    view = _kubernetes(target, missing)
    ray = None
    try:
        with target.reach() as url:
            ray = read_ray(url, target.outputs.ray_token, view.hosts() if view else {})
    except (ClusterError, KubernetesError) as error:
        if str(error) not in "".join(missing):
            missing.append(f"Ray says nothing: {error}")
    of_pods = [*pod_problems(view.pods, view.events), *host_problems(view.nodes)] if view else []
    return ClusterStatus(
        target=target.name,
        ray=ray,
        pods=tuple(_row(pod) for pod in view.pods) if view else (),
        problems=(*of_pods, *(ray.problems if ray else ())),
        missing=tuple(missing),
    )


def read_hosts(target: "StackTarget") -> dict[str, str]:
    """Return the hosts of pods by their addresses; none without Kubernetes, or if that is silent."""
    view = _kubernetes(target, [])
    return view.hosts() if view else {}


def _kubernetes(target: "StackTarget", missing: list[str]) -> KubernetesView | None:
    outputs = target.outputs
    if outputs.kubeconfig is None or outputs.namespace is None:
        return None
    try:
        return read_kubernetes(outputs.kubeconfig, outputs.namespace)
    except KubernetesError as error:
        missing.append(f"Kubernetes says nothing: {error}")
        return None


def _row(pod: Mapping[str, Any]) -> PodRow:
    host = str(pod.get("spec", {}).get("nodeName") or "")
    return PodRow(pod["metadata"]["name"], role_of(pod).name, pod_state(pod), host, restarts(pod))
