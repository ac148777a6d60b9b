"""Decides how a driver reaches Ray: starts or joins it, names its nodes, places work on them.

Runs where the driver runs: on the head of a cluster, or in a process of this machine for embedded Ray. A
node is named by its host (PIRAY_NODE_NAME in a pod) and, where several share it, by what it is there.
"""

import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ray
from ray._private import parameter
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from workloads.protocol.machine import condition, machine_facts

ENV_NODE_NAME = "PIRAY_NODE_NAME"
ENV_POD_NAME = "PIRAY_POD_NAME"
# The resource that Ray gives to the head's node alone.
HEAD_RESOURCE = "node:__internal_head__"
# A worker process of a Pi on a slow card takes tens of seconds to import Ray and NumPy, and longer with
# packages to install first: the first job builds a virtual environment and installs numba from the internet.
ANSWER_TIMEOUT_S = 900.0
JOIN_TIMEOUT_S = 20.0
# The run is done: what a node that is slow now could still say is not worth a longer wait.
CONDITION_TIMEOUT_S = 60.0
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
        name: The host, "host (head)" or "host (worker 2)"; no two nodes of a cluster share it.
        cpus: CPUs that Ray may use there, a whole number.
        is_head: Whether the driver's cluster is governed from there.
        facts: `machine_facts` of the node.
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
def session(cpus: int | None = None, temp_dir: str | None = None, dashboard: bool = False) -> Iterator[None]:
    """Hold a connection to Ray.

    Args:
        cpus: Start an embedded Ray with so many CPUs, stopped at the end; None joins the cluster of this job.
        temp_dir: Where an embedded Ray keeps its sockets and logs; Ray's own choice if not given.
        dashboard: Whether an embedded Ray has the dashboard, which takes seconds more to start.

    Raises:
        WorkloadError: If Ray cannot be started or joined.
    """
    try:
        if cpus is None:
            ray.init(address="auto", logging_level=logging.ERROR)
        else:
            with _any_agent_port():
                ray.init(
                    address="local",
                    num_cpus=cpus,
                    include_dashboard=dashboard,
                    logging_level=logging.ERROR,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=temp_dir,
                )
        yield
    except (ConnectionError, ray.exceptions.RaySystemError) as error:
        raise WorkloadError(f"Ray cannot be reached: {error}") from error
    finally:
        ray.shutdown()


@contextmanager
def _any_agent_port() -> Iterator[None]:
    """Let Ray choose the port of its agent, for which `ray.init` has no option.

    By default it is one and the same for all: on a machine with another Ray the Jobs API would not work.
    """
    name, original = "RayParams", parameter.RayParams
    setattr(parameter, name, partial(original, dashboard_agent_listen_port=0))
    try:
        yield
    finally:
        setattr(parameter, name, original)


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
    return Roster(named([_node(one, ray.get(answers[one["NodeID"]])) for one in alive]), expected)


def named(found: Sequence[Node]) -> list[Node]:
    """Name nodes as people do: by their host, and where several share it, by what each is there.

    Returns:
        The head first, the others by host; nodes of one host in the order of their numbers.
    """
    ordered = sorted(found, key=lambda node: (not node.is_head, node.host, node.pod or "", node.node_id))
    sharing = Counter(node.host for node in ordered)
    workers = Counter(node.host for node in ordered if not node.is_head)
    numbers: Counter[str] = Counter()
    names = []
    for node in ordered:
        numbers[node.host] += not node.is_head
        number = f" {numbers[node.host]}" if workers[node.host] > 1 else ""
        role = "head" if node.is_head else f"worker{number}"
        names.append(node.host if sharing[node.host] == 1 else f"{node.host} ({role})")
    return [replace(node, name=name) for node, name in zip(ordered, names, strict=True)]


def conditions(found: Sequence[Node]) -> list[dict[str, Any]]:
    """Ask every node how it is; quick if a process of the workload's is still idle there.

    Returns:
        As `answered`.
    """
    options = [(node.name, pinned(node.node_id, cpus=0)) for node in found]
    return answered({_condition.options(**one).remote(): name for name, one in options})


def answered(asked: Mapping[Any, str]) -> list[dict[str, Any]]:
    """Wait for the conditions of some nodes; those that are lost or too slow are left out.

    Args:
        asked: Names of the nodes by the references of their answers.

    Returns:
        The `condition` of each node, with its name.
    """
    if not asked:
        return []
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=CONDITION_TIMEOUT_S)
    said = []
    for answer in ready:
        with suppress(ray.exceptions.RayError):
            said.append({"name": asked[answer], **ray.get(answer)})
    return said


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


@ray.remote
def _condition() -> dict[str, Any]:
    return condition()


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
        name=host,
        cpus=int(resources.get("CPU", 0)),
        is_head=HEAD_RESOURCE in resources,
        facts=answer["facts"],
    )
