"""Nodes are named as in the tables of a run: by host, and by what they are there where several share one."""

from dataclasses import replace

from workloads.runner.cluster_state.ray.demands import demands_of
from workloads.runner.cluster_state.ray.listing import Listing, shortage
from workloads.runner.cluster_state.ray.nodes import RayNode, held_cpus, named, names_of

NODE = RayNode(
    id="aa" * 28,
    name="",
    host="pi1",
    address="10.42.0.1",
    is_head=False,
    alive=True,
    group="",
    message="",
    cpus=3.0,
    cpus_used=0.0,
    memory_bytes=None,
    memory_used_bytes=None,
    store_bytes=0,
    store_used_bytes=0,
    resources={"CPU": 3.0, "memory": 2**30},
)
EMPTY = Listing("tasks", (), 0, 0)


def test_a_node_alone_on_its_host_has_its_name_and_others_say_what_they_are() -> None:
    head = replace(NODE, id="h", host="pi0", is_head=True)
    first, second = replace(NODE, id="b1", address="10.42.0.2"), replace(NODE, id="b2", address="10.42.0.3")
    dead = replace(NODE, id="dead5678", alive=False)
    found = named([second, dead, first, head])
    assert [node.name for node in found] == ["pi0", "pi1 (worker 1)", "pi1 (worker 2)", "pi1 (dead5678)"]


def test_an_address_that_two_nodes_share_names_none_of_them() -> None:
    names = names_of(
        named([replace(NODE, id="a"), replace(NODE, id="b"), replace(NODE, id="c", address="x")])
    )
    assert set(names) == {"a", "b", "c", "x"}


def test_a_demand_is_told_from_one_that_no_node_can_ever_hold() -> None:
    def task(name: str, **wants: float) -> dict[str, object]:
        return {"type": "NORMAL_TASK", "func_or_class_name": name, "required_resources": wants}

    tasks = Listing(
        "tasks", (task("fits", CPU=2), task("fits", CPU=2), task("huge", CPU=4, memory=2**29)), 3, 3
    )
    groups = Listing(
        "placement-groups",
        ({"name": "", "placement_group_id": "f" * 36, "bundles": [{"unit_resources": {"gpu": 1}}]},),
        1,
        1,
    )
    fits, group, huge = demands_of(tasks, EMPTY, groups, [NODE])
    assert (fits.count, fits.wants, fits.possible) == (2, "2 CPUs", True)
    assert fits.why == "all that could hold it is in use"
    assert (group.what, group.why, group.possible) == ("f" * 16, "no node has 1 gpu: none has any gpu", False)
    assert (huge.wants, huge.possible) == ("4 CPUs, 512 MiB memory", False)
    assert huge.why == "no node has 4 CPUs: the largest has 3 CPUs"


def test_an_actor_that_waits_is_counted_once_and_not_as_the_task_that_makes_it_too() -> None:
    creation = {"type": "ACTOR_CREATION_TASK", "func_or_class_name": "Cam", "required_resources": {"CPU": 1}}
    actor = {"class_name": "Cam", "required_resources": {"CPU": 1}}
    (one,) = demands_of(Listing("tasks", (creation,), 1, 1), Listing("actors", (actor,), 1, 1), EMPTY, [NODE])
    assert (one.kind, one.count) == ("actor", 1)


def test_a_list_that_is_cut_off_says_how_much_is_missing() -> None:
    assert shortage(Listing("tasks", ({}, {}), 5, 9)) is not None
    assert "2 of 5 tasks are shown" in str(shortage(Listing("tasks", ({}, {}), 5, 9)))
    assert shortage(Listing("tasks", ({}, {}), 2, 9)) is None


def test_cpus_that_a_placement_group_reserves_are_held_though_nothing_uses_them() -> None:
    usage = "1.0/2.0 CPU (0.0 used of 1.0 reserved in placement groups)\n0B/19.10GiB memory"
    assert held_cpus(usage) == 2.0
    assert held_cpus("0.0/1.0 CPU\n0B/18.83GiB memory") == 0.0
    assert held_cpus("0B/1GiB memory") is None
