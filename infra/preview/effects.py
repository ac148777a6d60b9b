"""Decides what a change of a resource means for whoever uses the cluster, in words. Pure; no Pulumi."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from infra.preview.digest import Change

# What the operator does not compare; infra/kuberay/manifests/cluster.py (revision_of).
_REPLICAS = re.compile(r"spec\.workerGroupSpecs(\[\d+\]|\.\d+)\.(r|minR|maxR)eplicas")


@dataclass(frozen=True)
class Effect:
    """What a change does.

    Attributes:
        words: What happens, as the end of a sentence.
        restarts: What stops and starts again by it, for example "the Ray head"; empty for nothing.
    """

    words: str
    restarts: str = ""


def effect_of(change: Change) -> Effect:
    """Return what a change does; a resource that is created restarts nothing."""
    if change.starts_cluster:
        return _rebuilt(change.name.removesuffix("-install"))
    if change.operation == "create":
        return Effect("is new")
    if change.operation == "delete":
        return _deleted(change)
    kind = change.type.rsplit(":", 1)[-1]
    return _KINDS.get(kind, _other)(change)


def _deleted(change: Change) -> Effect:
    host, _, step = change.name.rpartition("-")
    if change.type.startswith("command:remote") and step == "install":
        return Effect(f"is removed: k3s is uninstalled from {host}", f"the pods on {host}, on other hosts")
    return Effect("is removed")


def _rebuilt(host: str) -> Effect:
    return Effect(
        f"begins a new cluster on {host}, **and the old one is lost** with all that is stored in it. Its "
        "other servers cannot join before k3s is uninstalled from them, too (`make down`, then `make up`)",
        "the whole cluster, which is built anew",
    )


def _deployment(change: Change) -> Effect:
    pods = change.name.replace("-", " ")
    if all(path == "spec.replicas" for path in change.inputs):
        return Effect(f"has another number of pods; the {pods} pods that stay are not touched")
    return Effect(f"has another pod template ({_listed(change)})", f"every {pods} pod")


def _ray_cluster(change: Change) -> Effect:
    if all(_REPLICAS.fullmatch(path) for path in change.inputs):
        return Effect("has another number of workers; the pods that stay are not touched")
    # infra/kuberay/manifests/cluster.py: upgradeStrategy Recreate.
    return Effect(f"has other pods ({_listed(change)})", "the Ray head and every worker")


def _ray_job(change: Change) -> Effect:
    if change.operation != "replace":
        return _other(change)
    return Effect("runs anew, and the old result is gone", f"the RayJob {change.name}")


def _ray_service(change: Change) -> Effect:
    if change.operation != "replace":
        return Effect(f"has another application, on the pods that are there ({_listed(change)})")
    return Effect("is made anew, and does not answer meanwhile", f"the RayService {change.name}")


def _job(_: Change) -> Effect:
    return Effect("runs anew, and the old result is gone", "the π Job")


def _command(change: Change) -> Effect:
    host, _, step = change.name.rpartition("-")
    effects = {
        "prepare": Effect(
            f"checks {host} again and sets its kernel options", f"{host}, if an option was missing"
        ),
        "verify": Effect(f"checks {host} again and changes nothing there"),
        "install": Effect(f"installs k3s on {host} again", f"k3s on {host} (its pods run on)"),
        "node": Effect(f"waits for the Node of {host} again"),
        "credentials": Effect("reads the cluster's credentials again"),
        "token": Effect("draws another token for Ray", "the Ray head and every worker"),
        "image": Effect(
            "brings the Ray image to every host that lacks it; those that have it are left alone"
        ),
        "mode": Effect(
            "removes the Ray pods of the other mode before those of this one come",
            "the Ray head and every worker, if ray.mode has changed",
        ),
        "definitions": Effect("makes the definitions of KubeRay's resources as they are in its release"),
        "guard": Effect("does nothing until its resource is removed"),
        "ready": Effect("waits until its resource is what is declared"),
        "local": Effect("compares Ray on this machine with the stack", "what differs of it"),
    }
    found = effects.get(step, Effect("runs again"))
    if step == "install" and change.operation == "replace":
        return Effect(f"is uninstalled from {host} and installed anew", f"all pods on {host}")
    return found


def _policy(_: Change) -> Effect:
    return Effect("lets other connections pass; those that are open and still allowed stay")


def _namespace(change: Change) -> Effect:
    if change.operation != "replace":
        return _other(change)
    return Effect("is made anew, with all that is in it", "the Ray head, every worker and the π Job")


def _other(change: Change) -> Effect:
    return Effect(
        "is made anew" if change.operation == "replace" else f"is changed in place ({_listed(change)})"
    )


def _listed(change: Change) -> str:
    most = 4
    shown = ", ".join(f"`{path}`" for path in change.inputs[:most])
    more = len(change.inputs) - most
    return f"{shown} and {more} more" if more > 0 else shown


_KINDS: dict[str, Callable[[Change], Effect]] = {
    "Deployment": _deployment,
    "Job": _job,
    "RayCluster": _ray_cluster,
    "RayJob": _ray_job,
    "RayService": _ray_service,
    "Command": _command,
    "NetworkPolicy": _policy,
    "Namespace": _namespace,
}
