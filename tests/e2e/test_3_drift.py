"""Others change the stack's objects on the cluster: the stack's values win, and it is said."""

from sandbox.stack import STACK
from tests.e2e.cluster import Cluster, wait_until, whole


def test_another_number_of_workers_by_kubectl_is_said_and_set_back(cluster: Cluster) -> None:
    cluster.kubectl("scale", "deployment/ray-worker", "--namespace=ray", "--replicas=1")
    up = cluster.up()
    assert up.code == 0, up.said
    assert "Deployment ray-worker was changed by others: spec.replicas (by kubectl" in up.stderr
    assert up.names("update") == {"ray-worker"}
    wait_until(lambda: whole(cluster))
    assert cluster.up().changes == set()


def test_a_field_that_kubectl_owns_is_no_obstacle_to_a_change_of_it(cluster: Cluster) -> None:
    cluster.kubectl("scale", "deployment/ray-worker", "--namespace=ray", "--replicas=1")
    cluster.workers = 3
    try:
        cluster.configure()
        preview = cluster.program.deploy("preview", STACK)
        assert preview.code == 0, preview.said
        up = cluster.up()
        assert up.code == 0, up.said
        wait_until(lambda: whole(cluster))
    finally:
        cluster.workers = 2
        assert cluster.up().code == 0


def test_an_object_that_others_have_removed_is_said_and_made_again(cluster: Cluster) -> None:
    cluster.kubectl("delete", "networkpolicy/ray-peers", "--namespace=ray")
    up = cluster.up()
    assert up.code == 0, up.said
    assert "NetworkPolicy ray-peers was removed by others" in up.stderr
    assert up.names("create") == {"ray-peers"}
    assert cluster.up().changes == set()
