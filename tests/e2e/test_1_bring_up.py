"""From bare hosts to a cluster, and then nothing more to do."""

from sandbox.stack import STACK
from tests.e2e.cluster import Cluster
from workloads.pi.estimate import Estimate
from workloads.runner import pi_job, stack_outputs


def test_bare_hosts_get_their_kernel_options_and_one_reboot(cluster: Cluster) -> None:
    for host in cluster.hosts:
        assert host.boot_id() != cluster.boots[host.name]
        line = host.ssh("cat /proc/cmdline")
        assert "cgroup_enable=memory" in line
        assert host.ssh("awk '$1 == \"memory\" { print $4 }' /proc/cgroups").strip() == "1"
        assert host.ssh("wc --lines < /var/log/pi-boots").strip() == "2"


def test_everything_was_created_and_nothing_else_was_done(cluster: Cluster) -> None:
    assert cluster.first_up is not None
    operations = {operation for operation, _ in cluster.first_up.steps}
    assert operations == {"create"}


def test_every_host_is_a_ready_node_with_a_k3s_that_never_fell_over(cluster: Cluster) -> None:
    assert cluster.ready_nodes() == {host.name for host in cluster.hosts}
    assert {restarts for _, restarts in cluster.services().values()} == {"0"}


def test_head_and_workers_are_ready_on_different_hosts(cluster: Cluster) -> None:
    pods = [*cluster.pods("head"), *cluster.pods("worker")]
    assert [pod.ready for pod in pods] == [True] * (1 + cluster.workers)
    assert {pod.node for pod in pods} == {host.name for host in cluster.hosts}


def test_the_pi_job_is_complete_and_right_within_four_standard_errors(cluster: Cluster) -> None:
    outputs = stack_outputs.parse(cluster.outputs, STACK)
    assert outputs.kubeconfig
    assert outputs.namespace
    assert outputs.pi_job
    done = pi_job.read(outputs.kubeconfig, outputs.namespace, outputs.pi_job)
    assert [part.index for part in done.parts] == list(range(outputs.pi_job.completions))
    total = Estimate.merge(Estimate(part.samples, part.num_inside) for part in done.parts)
    assert total.deviation < 4


def test_the_outputs_are_all_that_the_runner_asks_for(cluster: Cluster) -> None:
    outputs = stack_outputs.parse(cluster.outputs, STACK)
    assert (outputs.platform, outputs.workers, outputs.head_service) == ("pi", cluster.workers, "ray-head")


def test_a_second_up_logs_in_nowhere_and_restarts_nothing(cluster: Cluster) -> None:
    boots = {host.name: host.boot_id() for host in cluster.hosts}
    pods, services, logins = cluster.pods(), cluster.services(), cluster.logins()
    again = cluster.up()
    assert again.code == 0, again.said
    assert again.changes == set()
    # Whoever counts the logins is the only one who came.
    assert cluster.logins() == {name: count + 1 for name, count in logins.items()}
    assert (cluster.pods(), cluster.services()) == (pods, services)
    assert {host.name: host.boot_id() for host in cluster.hosts} == boots
