"""Decides what a pod is for the stack, and which keys of the stack file made it so. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Ours, and those that the KubeRay operator sets on every pod that it makes.
_LABEL_COMPONENT = "app.kubernetes.io/component"
_LABEL_RAY_TYPE = "ray.io/node-type"
_LABEL_RAY_GROUP = "ray.io/group"
# What KubeRay calls the head's own group, and names of the one group of the short form `workers: N`.
_NO_GROUPS = ("", "headgroup", "worker", "workers")


@dataclass(frozen=True)
class PodRole:
    """What a pod is for the stack; a key is that of the stack file, None where it has none.

    Attributes:
        name: "head", "worker", "worker of group GROUP", or "pod".
        memory: Key of its memory.
        cpus: Key of its CPUs.
        count: Key of how many of it there are; None for the head.
    """

    name: str
    memory: str | None = None
    cpus: str | None = None
    count: str | None = None


def role_of(pod: Mapping[str, Any]) -> PodRole:
    """Return the role of a pod, by its labels."""
    labels = pod["metadata"].get("labels", {})
    kind = labels.get(_LABEL_RAY_TYPE) or labels.get(_LABEL_COMPONENT)
    group = labels.get(_LABEL_RAY_GROUP, "")
    if kind == "head":
        return PodRole("head", "ray.headMemoryMib", "ray.headCpus")
    if kind == "worker" and group not in _NO_GROUPS:
        of = f"of group {group} in ray.groups"
        return PodRole(f"worker of group {group}", f"memoryMib {of}", f"cpus {of}", f"replicas {of}")
    if kind == "worker":
        return PodRole("worker", "ray.workerMemoryMib", "ray.workerCpus", "workers")
    return PodRole("pod")
