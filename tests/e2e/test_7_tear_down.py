"""`down`: Kubernetes first, then the hosts, which are then as they were found."""

from tests.e2e.cluster import Cluster


def test_down_leaves_the_hosts_as_they_were_found(cluster: Cluster) -> None:
    down = cluster.down()
    assert down.code == 0, down.said
    assert {operation for operation, _ in down.steps} == {"delete"}
    assert cluster.first_up is not None
    assert down.names("delete") == cluster.first_up.names("create")
    for host in cluster.hosts:
        assert host.files() == cluster.before[host.name], host.name
        left = host.ssh("ps -eo comm | grep -E 'k3s|containerd|kube|etcd|ray|pause' || true")
        assert left == "", host.name
        assert "kubelet" not in host.ssh("cat /proc/mounts")


def test_a_second_down_finds_nothing_to_do(cluster: Cluster) -> None:
    down = cluster.down()
    assert down.code == 0, down.said
    assert down.steps == ()
