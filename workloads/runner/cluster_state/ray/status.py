"""Decides what the status of Ray is: nodes, what runs, what waits, what died."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads.runner.cluster_state.problem import Problem
from workloads.runner.cluster_state.ray.demands import (
    ACTORS_WAIT,
    GROUPS_WAIT,
    TASKS_WAIT,
    Demand,
    demands_of,
)
from workloads.runner.cluster_state.ray.filters import Filter
from workloads.runner.cluster_state.ray.kinds import MOST_ROWS
from workloads.runner.cluster_state.ray.listing import Listing, read_listing
from workloads.runner.cluster_state.ray.nodes import RayNode, names_of, read_nodes
from workloads.runner.jobs_api.dashboard import ClusterError, ask

# So many of the processes that died are named, the latest.
_DEATHS = 3
_DEADLY = ("NODE_OUT_OF_MEMORY", "SYSTEM_ERROR")


@dataclass(frozen=True)
class RunningJob:
    """A job that runs: the id of one that was submitted, or Ray's own; and its command."""

    id: str
    command: str


@dataclass(frozen=True, kw_only=True)
class RayStatus:
    """What Ray says.

    Attributes:
        nodes: All nodes that the head remembers.
        jobs: The jobs that run.
        tasks: Tasks by their state, of those that have not ended.
        actors: Actors by their state, of those that are not dead.
        demands: What waits for a place.
        problems: Processes and nodes that died.
    """

    nodes: tuple[RayNode, ...]
    jobs: tuple[RunningJob, ...]
    tasks: Mapping[str, int]
    actors: Mapping[str, int]
    demands: tuple[Demand, ...]
    problems: tuple[Problem, ...]


def read_ray(url: str, token: str, hosts: Mapping[str, str]) -> RayStatus:
    """Ask Ray.

    Args:
        url: The dashboard, as in http://127.0.0.1:8265.
        token: Bearer token. Secret.
        hosts: Names of hosts by the addresses of their pods.

    Raises:
        ClusterError: If it does not answer.
    """

    def listing(kind: str, *filters: Filter) -> Listing:
        return read_listing(url, token, kind, MOST_ROWS, filters)

    nodes = read_nodes(url, token, hosts)
    tasks = listing("tasks", Filter("state", "!=", "FINISHED"), Filter("state", "!=", "FAILED"))
    actors = listing("actors", Filter("state", "!=", "DEAD"))
    dead = [row for kind in _DEADLY for row in listing("workers", Filter("exit_type", "=", kind)).rows]
    return RayStatus(
        nodes=nodes,
        jobs=_running(ask(url, token, "/api/jobs/"), url),
        # asdict makes nonsense of a Counter.
        tasks=dict(Counter(str(row["state"]) for row in tasks.rows)),
        actors=dict(Counter(str(row["state"]) for row in actors.rows)),
        demands=demands_of(
            _only(tasks, TASKS_WAIT),
            _only(actors, ACTORS_WAIT),
            listing("placement-groups", Filter("state", "=", GROUPS_WAIT)),
            nodes,
        ),
        problems=(*_dead_nodes(nodes), *_deaths(dead, names_of(nodes))),
    )


def _only(listing: Listing, state: str) -> Listing:
    rows = tuple(row for row in listing.rows if row["state"] == state)
    return Listing(listing.kind, rows, len(rows), listing.total)


def _running(jobs: Any, url: str) -> tuple[RunningJob, ...]:
    try:
        return tuple(
            RunningJob(str(one["submission_id"] or one["job_id"]), str(one["entrypoint"]))
            for one in jobs
            if one["status"] in ("RUNNING", "PENDING")
        )
    except (KeyError, TypeError):
        raise ClusterError(f"{url} answers, but not as Ray's Jobs API does.") from None


def _dead_nodes(nodes: tuple[RayNode, ...]) -> list[Problem]:
    # A node that was told to go is no fault: a worker less, a pod that was replaced.
    return [
        Problem(
            f"Ray node {node.name}", f"is gone: {node.message}", "look at its pod and its host.", over=True
        )
        for node in nodes
        if not node.alive and "unexpected" in node.message.lower()
    ]


def _deaths(rows: list[Mapping[str, Any]], names: Mapping[str, str]) -> list[Problem]:
    latest = sorted(rows, key=lambda row: int(row.get("end_time_ms") or 0), reverse=True)
    return [_death(row, names) for row in latest[:_DEATHS]]


def _death(row: Mapping[str, Any], names: Mapping[str, str]) -> Problem:
    subject = f"Ray process {row['pid']} on {names.get(str(row['node_id']), 'a node that is gone')}"
    if row["exit_type"] == "NODE_OUT_OF_MEMORY":
        return Problem(
            subject,
            "was ended by Ray, because its node had hardly any memory left",
            "let tasks use less, give each more CPUs so that fewer run at once, or raise the memory of "
            "the workers in the stack file.",
            over=True,
        )
    said = str(row.get("exit_detail") or "").partition(". Some common causes")[0]
    return Problem(
        subject, f"died: {said}", "look into its job's log, and at the memory of the node.", over=True
    )
