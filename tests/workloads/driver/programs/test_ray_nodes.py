"""The second write-up's job on a real Ray of three nodes."""

import pytest

from tests.workloads.driver.driving import NODES, drive, three_nodes
from workloads.driver.nodes import Node, Roster, WorkloadError
from workloads.driver.programs.ray_nodes import run
from workloads.protocol.specs import NodesSpec


@pytest.mark.ray
def test_every_task_is_counted_once_by_the_name_of_the_node_that_ran_it() -> None:
    with three_nodes() as variables:
        shown = drive(NodesSpec(tasks=300, seconds=0.01), variables)
    names = [node["name"] for node in shown["nodes"][0].values["nodes"]]
    (result,) = shown["result"]
    counts = dict(result.values["counts"])
    assert len(names) == NODES
    assert set(counts) == set(names)
    assert sum(counts.values()) == 300
    # Tasks that outnumber the CPUs by far keep every node busy.
    assert all(count > 0 for count in counts.values())
    assert result.values["cpus"] == 6
    assert shown["progress"][-1].values == {"done": 300, "total": 300}


def test_a_cluster_without_a_cpu_is_refused() -> None:
    head = Node(node_id="a", host="pi1", pod=None, name="pi1", cpus=0, is_head=True, facts={})
    with pytest.raises(WorkloadError, match="no node of the cluster has a CPU: raise piray:workers"):
        run(NodesSpec(tasks=1, seconds=0), Roster([head], 1), lambda _: None)
