"""Changes of the stack file touch what they are about and nothing else."""

from collections.abc import Iterator

import pytest

from sandbox.pi.host import Host
from sandbox.site import Site
from sandbox.stack import STACK
from tests.e2e.cluster import Cluster, service, wait_until, whole

OF_PI4 = {"pi4-prepare", "pi4-verify", "pi4-install", "pi4-node"}


@pytest.fixture(scope="module")
def fourth(site: Site, cluster: Cluster) -> Iterator[Host]:
    """Yield a fourth bare host, which is in the stack file from now on."""
    (host,) = site.start_all(["pi4"])
    cluster.before[host.name] = host.files()
    cluster.hosts.append(host)
    yield host
    cluster.hosts.remove(host)
    host.remove()


@pytest.mark.parametrize("workers", [3, 1, 2])
def test_another_number_of_workers_updates_one_deployment(cluster: Cluster, workers: int) -> None:
    head, services = cluster.pods("head"), cluster.services()
    kept = {pod.uid for pod in cluster.pods("worker")}
    cluster.workers = workers
    up = cluster.up()
    assert up.code == 0, up.said
    assert up.changes == {("update", "ray-worker")}
    assert (cluster.pods("head"), cluster.services()) == (head, services)
    now = [pod for pod in cluster.pods("worker") if pod.ready]
    assert len(now) == workers
    # Whoever was there stays, or is the only one to go.
    assert len(kept & {pod.uid for pod in now}) == min(len(kept), workers)


def test_ssh_cut_in_the_middle_of_an_install_is_an_error_and_the_next_up_finishes(
    cluster: Cluster, fourth: Host
) -> None:
    others = {host.name: service(host) for host in cluster.hosts if host is not fourth}
    cluster.workers = 3
    cluster.configure()
    running = cluster.program.start_deploy("up", STACK)
    fourth.wait_for("test -e /usr/local/bin/.k3s.piray-download -o -e /usr/local/bin/k3s", timeout=120)
    fourth.cut_ssh()
    cut = cluster.program.deployed(running)
    assert cut.code != 0
    assert "pi4-install" in cut.said
    assert "Traceback" not in cut.said
    up = cluster.up()
    assert up.code == 0, up.said
    assert up.changes == {
        ("create", "pi4-install"),
        ("create", "pi4-node"),
        ("update", "ray-image"),
        ("update", "ray-worker"),
    }
    assert "pi4" in {pod.node for pod in cluster.pods("worker")}
    assert cluster.ready_nodes() == {host.name for host in cluster.hosts}
    assert {name: service(cluster.host(name)) for name in others} == others


def test_a_host_taken_from_the_file_is_left_as_it_was_found(cluster: Cluster, fourth: Host) -> None:
    others = {host.name: service(host) for host in cluster.hosts if host is not fourth}
    staying = {pod.uid for pod in cluster.pods() if pod.node != "pi4"}
    cluster.hosts.remove(fourth)
    try:
        up = cluster.up()
        assert up.code == 0, up.said
        assert up.changes == {("update", "ray-image"), *(("delete", name) for name in OF_PI4)}
        assert cluster.ready_nodes() == set(others)
        assert {name: service(cluster.host(name)) for name in others} == others
        assert fourth.files() == cluster.before[fourth.name]
        wait_until(lambda: whole(cluster))
        assert staying < {pod.uid for pod in cluster.pods()}
    finally:
        cluster.hosts.append(fourth)


def test_a_power_cut_during_the_reboot_is_no_obstacle_to_the_next_up(cluster: Cluster, fourth: Host) -> None:
    # The last test took our options off its command line again, so it reboots once more.
    fourth.reboot()
    boot = fourth.boot_id()
    cluster.configure()
    running = cluster.program.start_deploy("up", STACK)
    wait_until(lambda: not fourth.is_in(boot))
    fourth.power_off()
    cluster.program.interrupt(running)
    cut = cluster.program.deployed(running)
    assert cut.code != 0
    assert "Traceback" not in cut.said
    fourth.power_on()
    up = cluster.up()
    assert up.code == 0, up.said
    assert cluster.ready_nodes() == {host.name for host in cluster.hosts}
    cluster.hosts.remove(fourth)
    cluster.workers = 2
    try:
        assert cluster.up().code == 0
    finally:
        cluster.hosts.append(fourth)
