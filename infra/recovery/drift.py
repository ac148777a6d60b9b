"""What others have changed or removed of a stack's objects on the cluster, as the cluster itself tells it.

Pulumi compares the program with what it last recorded, so it neither sees nor says such a change. The API
server notes for each field who set it last; a field that the program declares and somebody else owns has been
changed.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.objects.metadata import FIELD_MANAGER

_PLAINTEXT = "plaintext"
_UNSETTLED = ("delete", "pendingReplacement", "taint", "initErrors")
_PROVIDER = "pulumi:providers:kubernetes"

Path = tuple[str, ...]

_WRITTEN_BACK: Mapping[str, Sequence[Path]] = {
    "RayJob": [("f:spec", "f:rayClusterSpec"), ("f:spec", "f:submitterPodTemplate")],
    "RayService": [("f:spec", "f:rayClusterConfig")],
}


def kubeconfig_of(state: Mapping[str, Any]) -> str:
    """Return the kubeconfig of a stack's cluster; empty if it has none.

    Args:
        state: What `pulumi stack export --show-secrets` prints.
    """
    for resource in _resources(state):
        if resource["type"] == _PROVIDER:
            value = resource.get("inputs", {}).get("kubeconfig", "")
            return str(json.loads(value[_PLAINTEXT])) if isinstance(value, Mapping) else str(value)
    return ""


def objects_of(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the objects that a stack declares, as they were last recorded.

    Not those that a run of the stack's own has left half-changed or half-removed: nobody else is to blame for
    what has become of them.
    """
    return [
        resource["inputs"]
        for resource in _resources(state)
        if resource["type"].startswith("kubernetes:")
        and resource.get("id")
        and not any(resource.get(mark) for mark in _UNSETTLED)
    ]


def changed_fields(declared: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """Return the declared fields of an object that are somebody else's by now, in words.

    Args:
        declared: The object as the program declares it.
        live: The object on the cluster, with `metadata.managedFields`.
    """
    ours: set[Path] = set()
    theirs: dict[Path, str] = {}
    for entry in live["metadata"].get("managedFields") or []:
        paths = set(_leaves(entry.get("fieldsV1", {})))
        manager = str(entry.get("manager", ""))
        if manager == FIELD_MANAGER or manager.startswith("pulumi-kubernetes"):
            ours |= paths
        elif entry.get("subresource") != "status":
            theirs |= dict.fromkeys(paths, f"by {manager}, {entry.get('time', 'at an unknown time')}")
    return [
        f"{_in_words(path)} ({who})"
        for path, who in sorted(theirs.items())
        if path not in ours and _is_declared(path, declared) and not _is_theirs(path, declared)
    ]


def _resources(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (state.get("deployment") or {}).get("resources") or []


def _leaves(fields: Mapping[str, Any], at: Path = ()) -> Iterator[Path]:
    for key, below in fields.items():
        if key == ".":
            continue
        if below:
            yield from _leaves(below, (*at, key))
        else:
            yield (*at, key)


def _is_declared(path: Path, declared: Any) -> bool:
    """Say whether a path of managedFields leads to something in an object."""
    for part in path:
        kind, _, key = part.partition(":")
        if kind == "f" and isinstance(declared, Mapping) and key in declared:
            declared = declared[key]
        elif kind == "k" and isinstance(declared, list):
            wanted = json.loads(key)
            found = [item for item in declared if all(item.get(name) == wanted[name] for name in wanted)]
            if not found:
                return False
            declared = found[0]
        else:
            return False
    return True


def _is_theirs(path: Path, declared: Mapping[str, Any]) -> bool:
    """Say whether a field is declared as a beginning only, and then belongs to KubeRay or its autoscaler."""
    kind, spec = declared["kind"], declared.get("spec") or {}
    if kind == "RayCluster":
        # The list is one field to the API server: with a number of workers all of it is the autoscaler's.
        return bool(spec.get("enableInTreeAutoscaling")) and path[:2] == ("f:spec", "f:workerGroupSpecs")
    # The operator writes back what it has read, with the same quantities in other words (1000m is 1).
    return any(path[: len(begin)] == begin for begin in _WRITTEN_BACK.get(kind, ()))


def _in_words(path: Path) -> str:
    words = ""
    for part in path:
        kind, _, key = part.partition(":")
        if kind == "f":
            words += f".{key}"
        else:
            words += "[" + ",".join(str(value) for value in json.loads(key).values()) + "]"
    return words.lstrip(".")
