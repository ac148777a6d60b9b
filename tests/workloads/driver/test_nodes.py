"""Nodes are named as people name them."""

import pytest

from workloads.driver.nodes import Node, named


def node(host: str, node_id: str, pod: str | None = None, is_head: bool = False) -> Node:
    return Node(node_id=node_id, host=host, pod=pod, name="", cpus=1, is_head=is_head, facts={})


def test_a_node_that_is_alone_on_its_host_is_named_by_the_host() -> None:
    found = [
        node("pi2", "b", "ray-worker-7d9c5bcb9c-x2x4v"),
        node("pi1", "a", "ray-head-6f8b9d-q2w3e", is_head=True),
    ]
    assert [one.name for one in named(found)] == ["pi1", "pi2"]
    assert [one.pod for one in named(found)] == ["ray-head-6f8b9d-q2w3e", "ray-worker-7d9c5bcb9c-x2x4v"]


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (["pi1"], ["pi1 (head)", "pi1 (worker)"]),
        (["pi1", "pi2"], ["pi1 (head)", "pi1 (worker)", "pi2"]),
        (["pi1", "pi1"], ["pi1 (head)", "pi1 (worker 1)", "pi1 (worker 2)"]),
        (["pi2", "pi2"], ["pi1", "pi2 (worker 1)", "pi2 (worker 2)"]),
    ],
)
def test_where_nodes_share_a_host_what_they_are_tells_them_apart(
    workers: list[str], expected: list[str]
) -> None:
    head = node("pi1", "z", is_head=True)
    found = [*(node(host, str(index)) for index, host in enumerate(workers)), head]
    assert [one.name for one in named(found)] == expected


def test_more_than_nine_workers_of_a_host_are_in_the_order_of_their_numbers() -> None:
    found = [node("pi1", f"{index:02}") for index in range(12)]
    assert [one.name for one in named(found)] == [f"pi1 (worker {number})" for number in range(1, 13)]
