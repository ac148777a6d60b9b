"""Reads `pulumi preview --json`: which resources change, and which of their inputs. Pure; no Pulumi.

Against a stack's state Pulumi says itself what changes. In a pull request there is no state: the preview of
the branch is compared with that of the branch it goes to, both of a stack that does not exist yet.

Source: PreviewDigest in pkg/backend/display/json.go of pulumi/pulumi.
"""

import json
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from infra.names import camel_case

# The Command that reads what others need to join.
CREDENTIALS = "k3s-credentials"
OPERATIONS = ("create", "update", "replace", "delete")
# What a change of these replaces instead of updating: by type, the beginning of the input's path.
_REPLACES = {
    "kubernetes:core/v1:Namespace": "metadata.name",
    "kubernetes:core/v1:ConfigMap": "data",
    "kubernetes:core/v1:Secret": "stringData",
    "kubernetes:batch/v1:Job": "spec",
    "kubernetes:ray.io/v1:RayJob": "spec",
    "kubernetes:ray.io/v1:RayService": "spec.rayClusterConfig",
    "command:remote:Command": "triggers",
    "command:local:Command": "triggers",
    "pulumi:providers:kubernetes": "clusterIdentifier",
}
# What stands in a preview for a value that it does not know, and for one that it does not show.
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SECRET = "[secret]"  # noqa: S105 — in the place of a secret


class PreviewError(ValueError):
    """The text is no preview; it says what to call instead."""


class _Read(BaseModel):
    model_config = ConfigDict(alias_generator=camel_case, frozen=True)


class _State(_Read):
    type: str
    custom: bool = True
    inputs: Mapping[str, Any] = {}
    property_dependencies: Mapping[str, tuple[str, ...] | None] = {}


class _Step(_Read):
    op: str
    urn: str
    old_state: _State | None = None
    new_state: _State | None = None
    detailed_diff: Mapping[str, Any] | None = None

    @property
    def state(self) -> _State:
        state = self.new_state or self.old_state
        assert state is not None
        return state


class _Preview(_Read):
    steps: tuple[_Step, ...]


@dataclass(frozen=True)
class Change:
    """What happens to one resource.

    Attributes:
        operation: "create", "update", "replace" or "delete"; "perhaps" where a hidden input depends on a
            resource that changes.
        name: Name of the resource.
        type: Its type token.
        inputs: Paths of the inputs that change, dotted; empty for what is created or deleted.
        starts_cluster: Whether it begins a cluster, which all other hosts join, in the place of another one.
    """

    operation: str
    name: str
    type: str
    inputs: tuple[str, ...] = ()
    starts_cluster: bool = False


def changes_of(preview: bytes | str, base: bytes | str | None = None) -> list[Change]:
    """Return what changes, in the order of the preview.

    Args:
        preview: What `pulumi preview --json` printed.
        base: The same for the branch that it is compared with; None where the preview knows the state.

    Raises:
        PreviewError: If a text is none.
    """
    head = _read(preview)
    if base is None:
        found = [_known(step) for step in head.values()]
        there = any(_name(urn) == CREDENTIALS and step.op != "create" for urn, step in head.items())
    else:
        before = _read(base)
        found = list(_compared(before, head))
        there = any(_name(urn) == CREDENTIALS for urn in before)
    begun = _starting(head) if there else set()
    new = {"create", "replace"}
    return [replace(one, starts_cluster=one.name in begun and one.operation in new) for one in found]


def _starting(steps: Mapping[str, _Step]) -> set[str]:
    """Return the names of the Commands from whose cluster the others get their credentials."""
    read = [step.state.property_dependencies for urn, step in steps.items() if _name(urn) == CREDENTIALS]
    return {_name(urn) for dependencies in read for urn in dependencies.get("stdin") or ()}


def hidden_in(preview: bytes | str) -> list[str]:
    """Return the names of the Commands whose script a preview does not show, so that it cannot be compared.

    Args:
        preview: What `pulumi preview --json` printed.

    Raises:
        PreviewError: If it is none.
    """
    steps = _read(preview)
    return [
        _name(urn) for urn, step in steps.items() if step.state.inputs.get("stdin") in {_UNKNOWN, _SECRET}
    ]


def _read(text: bytes | str) -> dict[str, _Step]:
    try:
        preview = _Preview.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise PreviewError(
            f"this is not what `pulumi preview --json` prints ({str(error).splitlines()[0]}); "
            "a preview that failed prints its reason on standard error instead."
        ) from None
    # A replacement is told as three steps; the one named "replace" stands for all of them.
    told = [step for step in preview.steps if step.op in OPERATIONS and (step.new_state or step.old_state)]
    return {step.urn: step for step in told if step.state.custom}


def _known(step: _Step) -> Change:
    return Change(step.op, _name(step.urn), step.state.type, tuple(sorted(step.detailed_diff or {})))


def _compared(base: Mapping[str, _Step], head: Mapping[str, _Step]) -> Iterator[Change]:
    passing_on: set[str] = set()
    # A preview tells of a resource after those that it depends on.
    for urn, step in head.items():
        if change := _change(base.get(urn), step, passing_on):
            # What others get from an object of Kubernetes is its name, which an update leaves as it is.
            if change.operation in {"create", "replace"} or change.type.startswith("command:"):
                passing_on.add(urn)
            yield change
    for urn, step in base.items():
        if urn not in head:
            yield Change("delete", _name(urn), step.state.type)


def _change(before: _Step | None, step: _Step, passing_on: Set[str]) -> Change | None:
    state, name = step.state, _name(step.urn)
    if before is None:
        return Change("create", name, state.type)
    paths = tuple(_paths(_comparable(before.state), _comparable(state)))
    if paths:
        begin = _REPLACES.get(state.type)
        replaced = begin and any(re.match(rf"{re.escape(begin)}(?![A-Za-z])", path) for path in paths)
        return Change("replace" if replaced else "update", name, state.type, paths)
    perhaps = tuple(sorted(key for key, urns in _hidden(state).items() if not passing_on.isdisjoint(urns)))
    return Change("perhaps", name, state.type, perhaps) if perhaps else None


def _hidden(state: _State) -> dict[str, tuple[str, ...]]:
    """Return the inputs that a preview does not know or show, with the resources that they depend on."""
    shown = {key: json.dumps(value) for key, value in _comparable(state).items()}
    depend = {key: urns or () for key, urns in state.property_dependencies.items() if key in shown}
    return {key: urns for key, urns in depend.items() if _UNKNOWN in shown[key] or _SECRET in shown[key]}


def _comparable(state: _State) -> dict[str, Any]:
    """Return the inputs with ids that the preview has drawn at random as unknown."""
    # Each preview has other ids for the same Commands: NewUniqueHex in provider/pkg of pulumi/pulumi-command.
    inputs = dict(state.inputs)
    for key in inputs.keys() & state.property_dependencies.keys():
        names = "|".join(re.escape(_name(urn)) for urn in state.property_dependencies[key] or ())
        inputs[key] = json.loads(
            re.sub(rf'"({names})[0-9a-f]{{8}}"', f'"{_UNKNOWN}"', json.dumps(inputs[key]))
        )
    return inputs


def _paths(old: object, new: object, at: str = "") -> Iterator[str]:
    """Yield where two JSON values differ, as `spec.template.spec.containers[0].image`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _paths(old.get(key), new.get(key), f"{at}.{key}" if at else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _paths(before, after, f"{at}[{index}]")
    elif old != new:
        yield at


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]
