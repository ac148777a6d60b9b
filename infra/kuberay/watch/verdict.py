"""What a look at a custom resource has found. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """What keeps a resource from becoming what was asked for.

    Attributes:
        text: What it is, and what to do.
        patience_s: For how long it may be there before nobody waits any longer; None for as long as it takes.
        kind: What stays the same while the text changes and pods come and go; empty for the text.
    """

    text: str
    patience_s: float | None = None
    kind: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a look has found.

    Attributes:
        answer: What the resource has become; None while it has not.
        waiting: What it is waited for.
        problems: What keeps it; not empty only while there is no answer.
    """

    answer: Mapping[str, Any] | None = None
    waiting: str = ""
    problems: Sequence[Problem] = field(default_factory=tuple)


@dataclass(frozen=True)
class Sight:
    """What the cluster says of one custom resource.

    Attributes:
        live: The resource itself.
        pods: The pods of its clusters.
        warnings: What its events warn of, the newest last.
        logged: The error that the operator has logged last of it.
    """

    live: Mapping[str, Any]
    pods: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    logged: str = ""


def conditions(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the conditions of an object's status by their type."""
    return {one["type"]: one for one in status.get("conditions") or []}


def warned(sight: Sight, patience_s: float) -> list[Problem]:
    """Return the last warning as a problem: a resource that is invalid is told so by nothing else."""
    return [Problem(sight.warnings[-1], patience_s)] if sight.warnings else []
