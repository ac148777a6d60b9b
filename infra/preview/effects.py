"""Decides what a change of a resource means for whoever uses the cluster, in words. Pure; no Pulumi."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.preview.digest import Change


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
    "Command": _command,
    "NetworkPolicy": _policy,
    "Namespace": _namespace,
}
