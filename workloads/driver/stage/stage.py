"""Decides how a demo tells what happens: sentences, checks of what it claims, and Ray's own listings."""

import re
from typing import Any

import ray

from workloads.driver.nodes import Roster, WorkloadError, find
from workloads.driver.stage.listing import KINDS, cells, rows_of
from workloads.protocol.events import Emit, Event

# More rows would not fit a screen.
SHOWN_ROWS = 10
# Ray colours its tracebacks whether there is a terminal or not.
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What names the job in the listings that know of jobs: other jobs' tasks are not the demo's.
JOB_COLUMNS = {"tasks": "job_id", "actors": "job_id", "placement-groups": "creator_job_id"}


class Stage:
    """What a demo stands on.

    Args:
        roster: The nodes of the cluster.
        emit: Takes the events "said", "checked" and "listed".

    Attributes:
        nodes: The nodes of the cluster, the head first.
    """

    def __init__(self, roster: Roster, emit: Emit) -> None:
        self.nodes = list(roster.nodes)
        self._names = {node.node_id: node.name for node in roster.nodes}
        self._emit = emit
        self._checked: list[tuple[str, bool]] = []

    def say(self, text: str = "") -> None:
        """Print a line, or several."""
        self._emit(Event("said", {"text": COLOURS.sub("", text)}))

    def check(self, claim: str, happened: bool) -> None:
        """Check what the demo claims: it goes on, but ends as failed if one of its claims is not true."""
        self._checked.append((claim, bool(happened)))
        self._emit(Event("checked", {"claim": claim, "happened": bool(happened)}))

    def host(self, node_id: str) -> str:
        """Return the name of a node, also of one that came meanwhile; the id of one that has gone."""
        if node_id not in self._names:
            self._names |= {
                node.node_id: node.name for node in find().nodes if node.node_id not in self._names
            }
        return self._names.get(node_id, node_id)

    def list(self, kind: str, count: int, **filters: Any) -> None:
        """Print what `piray list` shows of this demo, and check that nothing is missing.

        Args:
            kind: "tasks", "actors", "objects", "placement-groups" or "nodes".
            count: How many rows there have to be at least.
            filters: What Ray's columns have to be; a list stands for any of its values.
        """
        if kind in JOB_COLUMNS:
            filters = {JOB_COLUMNS[kind]: ray.get_runtime_context().get_job_id(), **filters}
        rows = rows_of(kind, count, filters)
        shown = cells(kind, rows[:SHOWN_ROWS], self._names)
        self._emit(
            Event("listed", {"what": kind, "columns": KINDS[kind].columns, "rows": shown, "of": len(rows)})
        )
        self.check(f"Ray lists what the demo did, among its {kind}", len(rows) >= count)

    def finish(self) -> None:
        """End the demo with the event "result".

        Raises:
            WorkloadError: If a claim was not true, or nothing was claimed.
        """
        failed = [claim for claim, happened in self._checked if not happened]
        if failed or not self._checked:
            raise WorkloadError(
                f"what this demo shows did not happen: {'; '.join(failed) or 'no check ran'}."
            )
        self._emit(Event("result", {"checked": [claim for claim, _ in self._checked]}))
