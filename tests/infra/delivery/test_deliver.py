"""Which Node gets the image from where, and what is told when one does not."""

from pathlib import Path
from typing import cast

import pytest

from infra.delivery.archive import Archive
from infra.delivery.deliver import deliver
from infra.delivery.node import Node, Progress, Sight
from infra.delivery.problems import DeliveryError

ARCHIVE = Archive(Path("ray.tar"), 1000, "0" * 64)
ROOM = 10**9


class Cluster:
    """Nodes in memory: one that pulls gets the image if another one has it, or the registry does."""

    def __init__(self, names: str, *, registry: bool = False) -> None:
        self.nodes = [FakeNode(name, self) for name in names.split()]
        self.registry = registry
        self.said: list[str] = []
        self.asked = 0

    def archive(self) -> Archive:
        self.asked += 1
        return ARCHIVE

    def deliver(self, *, archive: bool = True) -> None:
        nodes = cast("list[Node]", self.nodes)
        deliver(nodes, self.archive if archive else None, self.said.append)

    def node(self, name: str) -> "FakeNode":
        return next(node for node in self.nodes if node.name == name)


class FakeNode:
    def __init__(self, name: str, cluster: Cluster) -> None:
        self.name = name
        self.there = self.deaf = self.off = False
        self.received, self.free = 0, ROOM
        self.log: list[str] = []
        self._cluster = cluster

    def look(self, archive: Archive | None = None) -> Sight:
        if self.off:
            raise DeliveryError([f"piray: {self.name}: it is not reached"])
        return Sight(there=self.there, received=self.received if archive else 0, free=self.free)

    def pull(self) -> None:
        self.log.append("pull")
        have = [node for node in self._cluster.nodes if node.there]
        if self.deaf or not (have or self._cluster.registry):
            raise DeliveryError([f"piray: {self.name}: it cannot get the image (port 5001 is closed)"])
        self.there = True

    def send(self, archive: Archive, begin: int, progress: Progress) -> None:
        self.log.append(f"sent {archive.size - begin}")
        progress(archive.size)
        self.there = True

    def keep(self) -> None:
        self.log.append("keep")


@pytest.fixture
def three() -> Cluster:
    return Cluster("pi1 pi2 pi3")


def test_an_archive_leaves_the_machine_once_and_the_others_get_it_from_the_first(three: Cluster) -> None:
    three.deliver()
    assert [node.log for node in three.nodes] == [["sent 1000", "keep"], ["pull", "keep"], ["pull", "keep"]]
    assert three.said[-1] == "the Ray image is on 3 of 3 nodes"


def test_what_is_there_is_not_sent_again_and_the_archive_may_be_gone(three: Cluster) -> None:
    three.deliver()
    for node in three.nodes:
        node.log.clear()
    three.deliver()
    assert [node.log for node in three.nodes] == [["keep"]] * 3
    assert three.asked == 1


def test_a_fourth_node_gets_it_without_this_machine(three: Cluster) -> None:
    three.deliver()
    three.nodes.append(FakeNode("pi4", three))
    three.deliver()
    assert three.node("pi4").log == ["pull", "keep"]
    assert three.asked == 1


def test_a_transfer_that_was_cut_goes_on(three: Cluster) -> None:
    three.node("pi1").received = 400
    three.deliver()
    assert three.node("pi1").log[0] == "sent 600"


def test_a_node_that_gets_it_from_no_other_is_sent_it_with_the_reason(three: Cluster) -> None:
    three.node("pi3").deaf = True
    three.deliver()
    assert three.node("pi3").log == ["pull", "sent 1000", "keep"]
    assert any(
        "port 5001 is closed" in line and "sent from this machine instead" in line for line in three.said
    )


def test_without_an_archive_the_first_one_asks_the_registry_alone() -> None:
    cluster = Cluster("pi1 pi2", registry=True)
    cluster.deliver(archive=False)
    assert [node.log for node in cluster.nodes] == [["pull", "keep"]] * 2


def test_a_registry_that_refuses_is_one_line_before_the_others_try() -> None:
    cluster = Cluster("pi1 pi2")
    with pytest.raises(DeliveryError, match="^piray: pi1: it cannot get the image"):
        cluster.deliver(archive=False)
    assert cluster.node("pi2").log == []


def test_nodes_that_are_not_reached_are_told_all_at_once(three: Cluster) -> None:
    three.node("pi2").off = three.node("pi3").off = True
    with pytest.raises(DeliveryError) as caught:
        three.deliver()
    assert [line.split(":")[1].strip() for line in caught.value.problems] == ["pi2", "pi3"]
    assert three.node("pi1").log == []


def test_nodes_without_room_are_told_all_at_once_and_nothing_is_sent(three: Cluster) -> None:
    three.node("pi1").free = three.node("pi3").free = 5999
    with pytest.raises(DeliveryError) as caught:
        three.deliver()
    assert [line.split(":")[1].strip() for line in caught.value.problems] == ["pi1", "pi3"]
    assert all(node.log == [] for node in three.nodes)
