"""Another k3s: refused while its sum is wrong, then installed host by host under pods that keep running."""

import pytest

from sandbox.release import VERSIONS
from tests.e2e.cluster import Cluster

NEXT = VERSIONS[1]


@pytest.fixture
def upgrade(cluster: Cluster) -> Cluster:
    """Return the cluster with the next release in its stack file."""
    cluster.version = NEXT
    return cluster


def test_a_wrong_sum_on_the_mirror_stops_the_upgrade_before_anything_is_replaced(upgrade: Cluster) -> None:
    services, pods = upgrade.services(), upgrade.pods()
    with upgrade.site.wrong_sum(NEXT):
        up = upgrade.up()
    assert up.code != 0
    assert "pi1-install" in up.said
    assert "the release's sum file says" in up.said
    assert "repair the mirror" in up.said
    assert up.names("update") == {"pi1-install"}
    assert (upgrade.services(), upgrade.pods()) == (services, pods)


def test_servers_are_upgraded_before_agents_and_no_pod_restarts(upgrade: Cluster) -> None:
    pods = upgrade.pods()
    up = upgrade.up()
    assert up.code == 0, up.said
    assert up.names("update") >= {f"{host.name}-install" for host in upgrade.hosts}
    assert up.names("create", "replace", "create-replacement", "delete-replaced", "delete") == set()
    order = [name for _, name in up.steps if name.endswith("-install")]
    assert order[0] == "pi1-install"
    versions = {item["status"]["nodeInfo"]["kubeletVersion"] for item in upgrade.items("nodes")}
    assert versions == {NEXT}
    assert upgrade.pods() == pods
    assert {restarts for _, restarts in upgrade.services().values()} == {"0"}
