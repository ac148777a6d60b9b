"""Decides how a driver reaches Ray: starts or joins it, names its nodes, places work on them.

Runs where the driver runs: on the head of a cluster, or in a process of this machine for embedded Ray. A
node is named by the host and the pod it runs in (PIRAY_NODE_NAME, PIRAY_POD_NAME), or else by its host name.
"""

import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from workloads.protocol.machine import machine_facts

ENV_NODE_NAME = "PIRAY_NODE_NAME"
ENV_POD_NAME = "PIRAY_POD_NAME"
# The resource that Ray gives to the head's node alone.
HEAD_RESOURCE = "node:__internal_head__"
# A worker process of a Pi on a slow card takes tens of seconds to import Ray and NumPy, and longer with
# packages to install first: the first job builds a virtual environment and installs numba from the internet.
ANSWER_TIMEOUT_S = 900.0
JOIN_TIMEOUT_S = 20.0
# A node that is lost, a worker that was killed, a result that went down with its node.
LOSSES = (
    ray.exceptions.RayActorError,
    ray.exceptions.WorkerCrashedError,
    ray.exceptions.NodeDiedError,
    ray.exceptions.ObjectLostError,
)

# When the driver started, by time.monotonic().
STARTED = time.monotonic()


class WorkloadError(Exception):
    """The workload cannot go on; one line that says what to do."""


@dataclass(frozen=True)
class Node:
    """One node of the Ray cluster.

    Attributes:
        node_id: Ray's id of the node.
        host: The Kubernetes node, or the machine's host name.
        pod: The pod; None without Kubernetes.
        name: "host/pod" or "host"; no two nodes of a cluster share it.
        cpus: CPUs that Ray may use there, a whole number.
        is_head: Whether the driver's cluster is governed from there.
        facts: `measure.machine_facts` of the node.
    """

    node_id: str
    host: str
    pod: str | None
    name: str
    cpus: int
    is_head: bool
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Roster:
    """Who is there.

    Attributes:
        nodes: The nodes that are alive, the head first.
        expected: How many the stack declares.
    """

    nodes: Sequence[Node]
    expected: int


@contextmanager
def session(cpus: int | None = None, temp_dir: str | None = None) -> Iterator[None]:
    """Hold a connection to Ray.

    Args:
        cpus: Start an embedded Ray with so many CPUs, stopped at the end; None joins the cluster of this job.
        temp_dir: Where an embedded Ray keeps its sockets and logs; Ray's own choice if not given.

    Raises:
        WorkloadError: If Ray cannot be started or joined.
    """
    try:
        if cpus is None:
            ray.init(address="auto", logging_level=logging.ERROR)
        else:
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
                _temp_dir=temp_dir,
            )
        yield
    except (ConnectionError, ray.exceptions.RaySystemError) as error:
        raise WorkloadError(f"Ray cannot be reached: {error}") from error
    finally:
        ray.shutdown()


def find(expected: int = 1) -> Roster:
    """Return the nodes that are alive, the head first, the others by name.

    Args:
        expected: Nodes to wait for, at most JOIN_TIMEOUT_S; fewer are returned after that.

    Raises:
        WorkloadError: If a node that counts as alive does not answer.
    """
    limit = time.monotonic() + JOIN_TIMEOUT_S
    while len(alive := _alive()) < expected and time.monotonic() < limit:
        time.sleep(1)
    answers = {one["NodeID"]: _describe.options(**pinned(one["NodeID"], cpus=0)).remote() for one in alive}
    ready, late = ray.wait(list(answers.values()), num_returns=len(answers), timeout=ANSWER_TIMEOUT_S)
    if late:
        silent = [one["NodeManagerAddress"] for one in alive if answers[one["NodeID"]] in late]
        raise WorkloadError(
            f"{len(late)} of {len(ready) + len(late)} Ray nodes did not answer in {ANSWER_TIMEOUT_S:.0f} s "
            f"({', '.join(silent)}): look at those nodes and their logs."
        )
    found = [_node(one, ray.get(answers[one["NodeID"]])) for one in alive]
    return Roster(sorted(_distinct(found), key=lambda node: (not node.is_head, node.name)), expected)


def pinned(node_id: str, cpus: int = 1) -> dict[str, Any]:
    """Return the options of a task or actor that runs on one node and nowhere else."""
    return {
        "num_cpus": cpus,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node_id=node_id, soft=False),
    }


def alive_ids() -> set[str]:
    """Return the ids of the nodes that Ray counts as alive."""
    return {str(one["NodeID"]) for one in _alive()}


def describe(node: Node) -> dict[str, Any]:
    """Return a node as JSON types."""
    return {
        "name": node.name,
        "host": node.host,
        "pod": node.pod,
        "cpus": node.cpus,
        "is_head": node.is_head,
        "machine": dict(node.facts),
    }


@ray.remote
def _describe() -> dict[str, Any]:
    return {
        "host": os.environ.get(ENV_NODE_NAME) or platform.node(),
        "pod": os.environ.get(ENV_POD_NAME) or None,
        "facts": machine_facts(),
    }


def _alive() -> list[dict[str, Any]]:
    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray has no types for it
    return [one for one in known if one["Alive"]]


def _node(one: Mapping[str, Any], answer: dict[str, Any]) -> Node:
    host, pod = answer["host"], answer["pod"]
    resources = one["Resources"]
    return Node(
        node_id=one["NodeID"],
        host=host,
        pod=pod,
        name=f"{host}/{pod}" if pod else host,
        cpus=int(resources.get("CPU", 0)),
        is_head=HEAD_RESOURCE in resources,
        facts=answer["facts"],
    )


def _distinct(found: Sequence[Node]) -> list[Node]:
    # Several Ray nodes on one machine without Kubernetes share its host name.
    counts = Counter(node.name for node in found)
    return [
        replace(node, name=f"{node.name}#{node.node_id[:6]}") if counts[node.name] > 1 else node
        for node in found
    ]
