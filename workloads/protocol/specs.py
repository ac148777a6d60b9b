"""Decides what a runner asks of a driver: one frozen spec for each workload, in a request; JSON on the way.

The driver checks a request where it arrives and names everything that is wrong with it at once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from types import NoneType, UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

REMEDY = (
    "Most likely the runner and the driver are of different versions of piray: "
    "run `make up STACK=<name>` and `piray` from one and the same checkout."
)


class SpecError(ValueError):
    """A request that the driver cannot read; one line that names every problem."""

    def __init__(self, *problems: str) -> None:
        super().__init__(f"the driver does not understand what it was asked: {'; '.join(problems)}. {REMEDY}")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What one workload is to compute; a subclass for each, whose fields are JSON types.

    Attributes:
        workload: Name of the workload.
    """

    workload: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class MandelbrotSpec(Spec):
    """One picture, computed with 0, 1, … workers.

    Attributes:
        plan: The picture, as `Plan.to_dict` gives it; `Plan.from_dict` checks it.
        repeats: Values of each row.
        workers: The last row; None for all there are.
    """

    workload = "mandelbrot"

    plan: Mapping[str, Any]
    repeats: int
    workers: int | None


@dataclass(frozen=True, kw_only=True)
class SweepSpec(Spec):
    """Several pictures, each computed with 0, 1, … workers.

    Attributes:
        seconds: How long the first row is to take for each problem but the 2020 article's.
        repeats: Values of each row.
        workers: The last row; None for all there are.
    """

    workload = "sweep"

    seconds: float
    repeats: int
    workers: int | None


@dataclass(frozen=True, kw_only=True)
class PiSpec(Spec):
    """An estimate of π.

    Attributes:
        completions: Number of streams, one task each.
        samples: Samples of each stream.
        seed: Shared by all streams.
    """

    workload = "pi"

    completions: int
    samples: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class ConnectivitySpec(Spec):
    """Tasks on every node that pass their results to each other.

    Attributes:
        rounds: How often.
        tasks: Pairs of tasks in each round.
    """

    workload = "connectivity"

    rounds: int
    tasks: int


@dataclass(frozen=True, kw_only=True)
class NodesSpec(Spec):
    """Short tasks that say where Ray has run them.

    Attributes:
        tasks: How many.
        seconds: How long each sleeps.
    """

    workload = "nodes"

    tasks: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class DemoSpec(Spec):
    """A small program that shows one of Ray's ideas.

    Attributes:
        name: One of `workloads.protocol.demos.DEMOS`.
    """

    workload = "demo"

    name: str


@dataclass(frozen=True, kw_only=True)
class HostingSpec(Spec):
    """Nothing to compute: an embedded Ray for other programs, until it is ended."""

    workload = "hosting"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A spec and where to run it: all that a driver is told.

    Attributes:
        spec: What to compute.
        expected: Nodes that the stack declares.
        cpus: CPUs of the embedded Ray that the driver is to start; None to join the cluster it runs on.
        temp_dir: Where the embedded Ray keeps its sockets and logs.
    """

    spec: Spec
    expected: int
    cpus: int | None
    temp_dir: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON types, with the name of its workload."""
        return {"workload": self.spec.workload, **asdict(self)}


def read(text: str, known: Mapping[str, type[Spec]]) -> Request:
    """Read the JSON of a request.

    Args:
        text: JSON of `Request.to_dict`.
        known: The specs that the driver knows, by the name of their workload.

    Raises:
        SpecError: Names each key that is missing, unknown or of the wrong type.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise SpecError(f"it is not JSON ({error})") from None
    if not isinstance(values, dict):
        raise SpecError(f"it is {text!r:.80} and must be an object")
    envelope = {"workload": str, **_types(Request), "spec": Mapping}
    problems = list(_problems(values, envelope))
    workload, inner = values.pop("workload", None), values.get("spec")
    kind = known.get(workload) if isinstance(workload, str) else None
    if isinstance(workload, str) and kind is None:
        problems.append(f"workload is {workload!r} and must be one of {', '.join(known)}")
    if kind is not None and isinstance(inner, Mapping):
        problems += _problems(inner, _types(kind), "spec.")
    if problems or kind is None:
        raise SpecError(*problems)
    return Request(**{**values, "spec": kind(**values["spec"])})


def _types(record: type[Request | Spec]) -> dict[str, Any]:
    hints = get_type_hints(record)
    return {item.name: hints[item.name] for item in fields(record)}


def _problems(values: Mapping[str, Any], types: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Compare an object with the annotated types that its values must have."""
    for name in sorted(values.keys() - types.keys()):
        yield f"{path}{name} is unknown"
    for name, kind in types.items():
        allowed = [
            get_origin(one) or one for one in (get_args(kind) if isinstance(kind, UnionType) else (kind,))
        ]
        if name not in values:
            yield f"{path}{name} is missing"
        elif not _is_one_of(values[name], allowed):
            words = " or ".join(_JSON_NAMES[one] for one in allowed)
            yield f"{path}{name} is {values[name]!r:.80} and must be {words}"


def _is_one_of(value: object, allowed: list[type]) -> bool:
    # JSON has one kind of number, and a bool is an int only to Python.
    if isinstance(value, bool):
        return bool in allowed
    return isinstance(value, tuple(allowed)) or (float in allowed and isinstance(value, int))


_JSON_NAMES = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
    Mapping: "an object",
}
