"""Decides which filters Ray's state API understands: KEY=VALUE or KEY!=VALUE, by its own fields."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

from ray.util.state import common

from workloads.runner.cluster_state.ray.nodes import RayNode

SCHEMAS: dict[str, Any] = {
    "nodes": common.NodeState,
    "tasks": common.TaskState,
    "actors": common.ActorState,
    "objects": common.ObjectState,
    "placement-groups": common.PlacementGroupState,
    "workers": common.WorkerState,
}
_BOOLEANS = ("true", "false", "1", "0")


class FilterError(Exception):
    """Filters that the state API would not understand; one line each."""


@dataclass(frozen=True)
class Filter:
    """A condition on one field.

    Attributes:
        key: Name of the field.
        predicate: "=" or "!=".
        value: What it is compared with; upper and lower case are the same.
    """

    key: str
    predicate: str
    value: str


def parse_filters(kind: str, texts: Sequence[str]) -> list[Filter]:
    """Read what a user wrote; Ray itself complains only where there is something to filter.

    Args:
        kind: A key of SCHEMAS.
        texts: Each "KEY=VALUE" or "KEY!=VALUE".

    Raises:
        FilterError: Every mistake found, one line each.
    """
    columns = {
        field.name: field.type
        for field in fields(SCHEMAS[kind])
        if field.name in SCHEMAS[kind].filterable_columns()
    }
    filters, mistakes = [], []
    for text in texts:
        key, equals, value = text.partition("=")
        one = Filter(key.removesuffix("!").strip().lower(), "!=" if key.endswith("!") else "=", value.strip())
        mistake = _mistake(one, columns) if equals and one.value else "it must be KEY=VALUE or KEY!=VALUE"
        if mistake:
            mistakes.append(f"--filter {text}: {mistake}.")
        filters.append(one)
    if mistakes:
        raise FilterError("\n".join(mistakes))
    return filters


def with_node_ids(filters: Sequence[Filter], nodes: Sequence[RayNode]) -> list[Filter]:
    """Put ids in the place of the names of nodes, by which people know them."""
    ids = {node.name.lower(): node.id for node in nodes}
    return [
        replace(one, value=ids.get(one.value.lower(), one.value)) if one.key == "node_id" else one
        for one in filters
    ]


def _mistake(one: Filter, columns: dict[str, Any]) -> str | None:
    if one.key not in columns:
        return f"there is no key {one.key!r}; there are {', '.join(sorted(columns))}"
    names = _choices(columns[one.key])
    if names and one.value.upper() not in names:
        return f"{one.key} is never {one.value!r}; it is one of {', '.join(sorted(names))}"
    if _is_of(int, columns[one.key]) and not _reads(int, one.value):
        return f"{one.key} is a whole number, not {one.value!r}"
    if _is_of(bool, columns[one.key]) and one.value.lower() not in _BOOLEANS:
        return f"{one.key} is true or false, not {one.value!r}"
    return None


def _choices(kind: Any) -> set[str]:
    """Return the texts of a Literal, an optional one as well."""
    parts = get_args(kind)
    return {one for one in parts if isinstance(one, str)} | {
        name for part in parts if not isinstance(part, str) for name in _choices(part)
    }


def _is_of(wanted: type, kind: Any) -> bool:
    return kind is wanted or wanted in get_args(kind)


def _reads(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
