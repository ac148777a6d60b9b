"""Decides how what Ray lists is shown: columns that fit 100 characters, whole ids only in JSON."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from workloads.results.rendering import empty_table, seconds_text
from workloads.runner.cluster_state.ray.demands import resources_text
from workloads.runner.cluster_state.ray.listing import Listing
from workloads.runner.cluster_state.ray.nodes import short

Row = Mapping[str, Any]
Names = Mapping[str, str]
Cell = Callable[[Row, Names], str]
_KIB, _MIB, _GIB = 1024, 1024**2, 1024**3
# The ids of one job's things end alike, and that of a task which makes an actor begins with many an f.
_ID_CHARACTERS = 12


def listing_table(target: str, listing: Listing, names: Names) -> Table:
    """Build the table of what was listed.

    Args:
        target: Name of the cluster.
        listing: What there is.
        names: Names of nodes by their ids and addresses.
    """
    table = empty_table(f"{listing.kind.replace('-', ' ').capitalize()} on {target}: {listing.matching}")
    columns = _COLUMNS[listing.kind]
    for heading in columns:
        right = heading in ("CPUs", "Memory", "Store", "Size", "PID", "Took")
        table.add_column(
            heading, justify="right" if right else "left", overflow="fold", no_wrap=right or heading == "Id"
        )
    for row in listing.rows:
        table.add_row(*(escape(cell(row, names)) for cell in columns.values()))
    return table


def size_text(value: float) -> str:
    """Render a number of bytes."""
    for unit, name in ((_GIB, "GiB"), (_MIB, "MiB"), (_KIB, "KiB")):
        if value >= unit:
            return f"{value / unit:.1f} {name}"
    return f"{value:.0f} B"


def _text(key: str) -> Cell:
    return lambda row, _: str(row[key]) if row.get(key) not in (None, "") else "-"


def _id(key: str) -> Cell:
    return lambda row, _: str(row[key]).removeprefix("f" * 16)[:_ID_CHARACTERS]


def _state(row: Row, _: Names) -> str:
    # Long ones are to be broken between words.
    return str(row["state"]).replace("_", " ")


def _node(row: Row, names: Names) -> str:
    found = str(row.get("node_id") or "")
    return names.get(found) or short(found) or "-"


def _owner(row: Row, names: Names) -> str:
    where = names.get(str(row["ip"]), str(row["ip"]))
    return f"{str(row['type']).lower()} {row['pid']} on {where}"


def _object_id(row: Row, _: Names) -> str:
    whole = str(row["object_id"])
    return f"{whole[:8]}…{whole[-16:]}"


def _resource(name: str, render: Callable[[float], str]) -> Cell:
    return lambda row, _: render(float((row["resources_total"] or {}).get(name, 0.0)))


def _node_state(row: Row, _: Names) -> str:
    message = str(row.get("state_message") or "")
    return f"{row['state']}: {message[:60]}" if row["state"] != "ALIVE" and message else str(row["state"])


def _kind(row: Row, _: Names) -> str:
    return str(row["type"]).removesuffix("_TASK").replace("_", " ").lower()


def _took(row: Row, _: Names) -> str:
    begun, ended = row.get("start_time_ms"), row.get("end_time_ms")
    if not begun or not ended:
        return "-"
    return f"{seconds_text(max(float(ended) - float(begun), 0.0) / 1000)} s"


def _error(row: Row, _: Names) -> str:
    return str(row.get("error_type") or "-").replace("_", " ").lower()


def _bundles(row: Row, names: Names) -> str:
    return "\n".join(
        f"{resources_text(one['unit_resources'])} on {_node(one, names)}"
        if one.get("node_id")
        else f"{resources_text(one['unit_resources'])}, no place yet"
        for one in row.get("bundles") or ()
    )


def _alive(row: Row, _: Names) -> str:
    return (
        "yes" if row["is_alive"] else f"no: {str(row.get('exit_type') or 'ended').replace('_', ' ').lower()}"
    )


_COLUMNS: Mapping[str, Mapping[str, Cell]] = {
    "nodes": {
        "Node": lambda row, names: names.get(row["node_id"], "-"),
        "State": _node_state,
        "Role": lambda row, _: "head" if row["is_head_node"] else "worker",
        "CPUs": _resource("CPU", lambda value: f"{value:g}"),
        "Memory": _resource("memory", size_text),
        "Store": _resource("object_store_memory", size_text),
        "Address": _text("node_ip"),
        "Id": lambda row, _: short(row["node_id"]),
    },
    "tasks": {
        "Name": _text("name"),
        "State": _state,
        "Kind": _kind,
        "Node": _node,
        "PID": _text("worker_pid"),
        "Took": _took,
        "Error": _error,
        "Id": _id("task_id"),
    },
    "actors": {
        "Class": _text("class_name"),
        "State": _state,
        "Name": _text("name"),
        "Node": _node,
        "PID": lambda row, _: str(row.get("pid") or "-"),
        "Job": _text("job_id"),
        "Id": _id("actor_id"),
    },
    "objects": {
        "Id": _object_id,
        "Size": lambda row, _: size_text(float(row["object_size"])) if row["object_size"] >= 0 else "-",
        "Reference": lambda row, _: str(row["reference_type"]).replace("_", " ").lower(),
        "Task": lambda row, _: str(row["task_status"]).replace("_", " ").lower(),
        "Owner": _owner,
    },
    "placement-groups": {
        "Name": _text("name"),
        "State": _state,
        "Bundles": _bundles,
        "Job": _text("creator_job_id"),
        "Id": _id("placement_group_id"),
    },
    "workers": {
        "Type": lambda row, _: str(row["worker_type"]).replace("_", " ").lower(),
        "Alive": _alive,
        "Node": _node,
        "PID": _text("pid"),
        "Id": _id("worker_id"),
    },
}
