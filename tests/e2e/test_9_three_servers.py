"""Three servers: a cluster that lives on without one of them, and of which one can be replaced."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pi.host import Host
from sandbox.site import Site
from tests.checkout import Checkout
from tests.e2e.cluster import Cluster, cluster_on, service, wait_until, whole

NAMES = ["pi11", "pi12", "pi13"]
ETCD_ROLE = "node-role.kubernetes.io/etcd"


@pytest.fixture(scope="module")
def three(site: Site, engine: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a stack of three servers and no agent, applied to fresh hosts."""
    program = Checkout(tmp_path_factory.mktemp("three"), engine)
    with cluster_on(site, program, site.start_all(NAMES)) as cluster:
        cluster.servers, cluster.workers = len(NAMES), 1
        cluster.before = {host.name: host.files() for host in cluster.hosts}
        up = cluster.up()
        assert up.code == 0, up.said
        yield cluster


def members(cluster: Cluster) -> set[str]:
    """Return the names of the Nodes that run a member of etcd."""
    nodes = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"]
    return {node["metadata"]["name"] for node in nodes if ETCD_ROLE in node["metadata"]["labels"]}


def answers(server: Host) -> bool:
    """Say whether a server's own API server answers."""
    return server.ssh("sudo k3s kubectl get --raw=/readyz || true").strip() == "ok"


def test_all_three_run_the_control_plane_and_pods(three: Cluster) -> None:
    assert three.ready_nodes() == members(three) == set(NAMES)
    assert all(answers(host) for host in three.hosts)
    assert whole(three)


def test_a_server_without_power_stops_neither_the_cluster_nor_the_next_up(three: Cluster) -> None:
    second = three.host("pi12")
    others = {host.name: service(host) for host in three.hosts if host is not second}
    second.power_off()
    wait_until(lambda: three.ready_nodes() == {"pi11", "pi13"})
    assert answers(three.host("pi13"))
    second.power_on()
    second.wait_until_up()
    wait_until(lambda: three.ready_nodes() == set(NAMES))
    wait_until(lambda: whole(three), timeout=300)
    up = three.up()
    assert up.code == 0, up.said
    assert up.changes == set()
    assert {name: service(three.host(name)) for name in others} == others


def test_a_server_is_replaced_and_left_as_it_was_found(three: Cluster, site: Site) -> None:
    third = three.host("pi13")
    (fourth,) = site.start_all(["pi14"])
    three.before[fourth.name] = fourth.files()
    staying = {(pod.uid, pod.restarts) for pod in three.pods() if pod.node != "pi13"}
    three.hosts.remove(third)
    three.hosts.append(fourth)
    try:
        up = three.up()
        assert up.code == 0, up.said
        assert {"pi14-install", "pi14-node"} <= up.names("create")
        assert up.names("delete") == {f"pi13-{step}" for step in ("prepare", "verify", "install", "node")}
        assert three.ready_nodes() == members(three) == {"pi11", "pi12", "pi14"}
        # k3s on the others learns the new address and restarts, but their pods run on.
        wait_until(lambda: whole(three), timeout=300)
        assert staying <= {(pod.uid, pod.restarts) for pod in three.pods()}
        assert third.files() == three.before[third.name]
    finally:
        third.remove()


def test_three_servers_are_taken_down_as_one_is(three: Cluster) -> None:
    down = three.down()
    assert down.code == 0, down.said
    for host in three.hosts:
        assert host.files() == three.before[host.name], host.name
