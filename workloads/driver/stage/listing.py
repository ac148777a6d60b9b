"""Decides what a demo lists: rows of Ray's state API, once Ray knows of all that the demo did.

Worker processes report their tasks to the head about once a second, so a listing is asked for again until
it is whole. Source: https://docs.ray.io/en/latest/ray-observability/reference/api.html
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.util import state

LIST_TIMEOUT_S = 30.0
POLL_S = 0.5
# Tasks in these states are told of again.
FINAL_TASK_STATES = {"FINISHED", "FAILED"}
# An id has 56 hexadecimal digits, and those of one job differ at the beginning or at the end.
ID_ENDS = 6

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of thing that Ray lists.

    Attributes:
        ask: The function of Ray's state API.
        columns: What is shown of a row, in Ray's own names.
    """

    ask: Callable[..., list[Any]]
    columns: tuple[str, ...]


KINDS = {
    "tasks": Kind(
        state.list_tasks,
        ("task_id", "attempt_number", "name", "state", "node_id", "worker_pid", "error_type"),
    ),
    "actors": Kind(state.list_actors, ("actor_id", "class_name", "state", "node_id", "pid", "num_restarts")),
    "objects": Kind(state.list_objects, ("object_id", "object_size", "reference_type", "type", "pid")),
    "placement-groups": Kind(
        state.list_placement_groups, ("name", "state", "scheduling_state", "bundles_on")
    ),
    "nodes": Kind(state.list_nodes, ("node_id", "state", "is_head_node", "cpus")),
}


def rows_of(kind: str, count: int, filters: Mapping[str, Any]) -> list[Row]:
    """Return what Ray lists, as soon as it is whole, or as it is after LIST_TIMEOUT_S.

    Args:
        kind: One of KINDS.
        count: How many rows there have to be at least.
        filters: What Ray's columns have to be; a collection of values stands for any of them.
    """
    limit = time.monotonic() + LIST_TIMEOUT_S
    while True:
        rows = _ask(kind, filters)
        settled = kind != "tasks" or "state" in filters or all(_is_final(row) for row in rows)
        if (len(rows) >= count and settled) or time.monotonic() > limit:
            return rows
        time.sleep(POLL_S)


def cells(kind: str, rows: Sequence[Row], names: Mapping[str, str]) -> list[list[str]]:
    """Return the shown columns of rows, as text.

    Args:
        kind: One of KINDS.
        rows: From `rows_of`.
        names: Names of the nodes by their ids.
    """
    return [[_text(column, row.get(column), names) for column in KINDS[kind].columns] for row in rows]


def _ask(kind: str, filters: Mapping[str, Any]) -> list[Row]:
    single = [(key, "=", value) for key, value in filters.items() if not isinstance(value, list)]
    several = {key: value for key, value in filters.items() if isinstance(value, list)}
    # Without an address Ray looks for whatever Ray runs on this machine, and refuses to choose among several.
    address = ray.get_runtime_context().gcs_address
    answered = KINDS[kind].ask(address=address, filters=single, detail=True, raise_on_missing_output=False)
    rows = [{**vars(one), **_within(one)} for one in answered]
    return [row for row in rows if all(row[key] in values for key, values in several.items())]


def _within(one: Any) -> dict[str, Any]:
    """Return what Ray keeps one level deeper: why a group waits, where it is, and the CPUs of a node."""
    stats, resources = getattr(one, "stats", None), getattr(one, "resources_total", None)
    bundles = getattr(one, "bundles", None) or []
    return {
        "scheduling_state": (stats or {}).get("scheduling_state"),
        "cpus": (resources or {}).get("CPU", 0),
        "bundles_on": [bundle["node_id"] for bundle in bundles if bundle["node_id"]],
    }


def _is_final(row: Row) -> bool:
    return row["state"] in FINAL_TASK_STATES


def _text(column: str, value: Any, names: Mapping[str, str]) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(names.get(one, one) for one in value)
    if column == "node_id" and value in names:
        return names[value]
    if column.endswith("_id") and len(str(value)) > 2 * ID_ENDS + 1:
        return f"{value[:ID_ENDS]}…{value[-ID_ENDS:]}"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
