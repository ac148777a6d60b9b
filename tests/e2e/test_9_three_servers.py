"""Three servers: a cluster that lives on without one of them, and of which one can be replaced."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.images.registry import PLAIN_PORT
from sandbox.machine.docker import GATEWAY
from sandbox.pi.host import Host
from sandbox.site import Site
from tests.checkout import Checkout
from tests.e2e.cluster import Cluster, cluster_on, service, wait_until, whole

NAMES = ["pi11", "pi12", "pi13"]
PLAIN = f"{GATEWAY}:{PLAIN_PORT}"
# What owners have before the first `up`: a registry of their own, a disk for k3s by a link, or by a mount.
SSD = "mkdir /var/lib/ssd && echo mine >/var/lib/ssd/photos"
OWNERS = {
    "pi11": f"mkdir -p /etc/rancher/k3s && cat >/etc/rancher/k3s/registries.yaml <<'X'\n"
    f"mirrors: {{'{PLAIN}': {{endpoint: ['http://{PLAIN}']}}}}\nX",
    "pi12": f"{SSD} && ln -s /var/lib/ssd /var/lib/rancher",
    "pi13": f"{SSD} && mkdir -p /var/lib/rancher/k3s "
    "&& echo '/var/lib/ssd /var/lib/rancher/k3s none bind 0 0' >>/etc/fstab "
    "&& mount --all && systemctl daemon-reload",
}
ETCD_ROLE = "node-role.kubernetes.io/etcd"


@pytest.fixture(scope="module")
def three(site: Site, engine: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a stack of three servers and no agent, applied to fresh hosts; its registry has no TLS."""
    program = Checkout(tmp_path_factory.mktemp("three"), engine)
    with site.registry_without_tls() as sources, cluster_on(site, program, site.start_all(NAMES)) as cluster:
        cluster.servers, cluster.workers, cluster.sources = len(NAMES), 1, sources
        for host in cluster.hosts:
            host.as_root(OWNERS[host.name])
        cluster.before = {host.name: host.files() for host in cluster.hosts}
        up = cluster.up()
        assert up.code == 0, up.said
        yield cluster


def members(cluster: Cluster) -> set[str]:
    """Return the names of the Nodes that run a member of etcd."""
    nodes = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"]
    return {node["metadata"]["name"] for node in nodes if ETCD_ROLE in node["metadata"]["labels"]}


def disk(host: Host) -> str:
    """Return what is on a host's disk for data, and how that is reached."""
    return host.as_root(
        "find /var/lib/ssd -mindepth 1; readlink /var/lib/rancher; "
        "findmnt --noheadings --output FSROOT /var/lib/rancher/k3s || true"
    )


def answers(server: Host) -> bool:
    """Say whether a server's own API server answers."""
    return server.ssh("sudo k3s kubectl get --raw=/readyz || true").strip() == "ok"


def test_all_three_run_the_control_plane_and_pods(three: Cluster) -> None:
    assert three.ready_nodes() == members(three) == set(NAMES)
    assert all(answers(host) for host in three.hosts)
    assert whole(three)


def test_data_lies_on_the_owners_disk_and_the_image_comes_from_a_registry_without_tls(three: Cluster) -> None:
    for host in three.hosts[1:]:
        assert "/agent/containerd" in disk(host)
    ours, written = (host.as_root("cat /etc/rancher/k3s/registries.yaml") for host in three.hosts[:2])
    assert "Managed by Pulumi" not in ours
    assert f"http://{PLAIN}" in written


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
    mounted = disk(third)
    # After the power cut pi12 may not have said yet how often its pods have restarted.
    staying = {(pod.uid, pod.restarts) for pod in three.pods() if pod.node not in ("pi12", "pi13")}
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
        assert disk(third).split() == ["/var/lib/ssd/photos", mounted.split()[-1]]
    finally:
        third.remove()


def test_a_card_written_anew_under_its_old_name_is_understood_and_then_joins(
    three: Cluster, site: Site
) -> None:
    fourth = site.start("pi14")
    fourth.wait_until_up()
    three.before[fourth.name] = fourth.files()
    up = three.up()
    assert up.code != 0
    assert "the cluster has a server pi14 already" in up.said
    remedy = "sudo k3s kubectl delete node pi14"
    assert f"on the first server run {remedy}" in up.said
    # kubectl's cache would be a file of the owner's in root's home.
    three.server.ssh(remedy.replace("sudo", "sudo KUBECACHEDIR=/run/kubectl-cache"))
    up = three.up()
    assert up.code == 0, up.said
    wait_until(lambda: three.ready_nodes() == members(three) == {"pi11", "pi12", "pi14"})


def test_three_servers_are_taken_down_as_one_is(three: Cluster) -> None:
    down = three.down()
    assert down.code == 0, down.said
    for host in three.hosts:
        assert host.files() == three.before[host.name], host.name
    assert disk(three.host("pi12")).split() == ["/var/lib/ssd/photos", "/var/lib/ssd"]
