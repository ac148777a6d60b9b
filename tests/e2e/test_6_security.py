"""Who gets in, and where secrets are not."""

import socket
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from infra import names
from tests.connections import ALWAYS_CLOSED, ALWAYS_OPEN, Place, may_connect
from tests.e2e.cluster import Cluster
from tests.e2e.ray_state import ask, dashboard

RAY_PORTS = [
    names.GCS_PORT,
    names.DASHBOARD_PORT,
    names.DASHBOARD_AGENT_PORT,
    names.DASHBOARD_AGENT_GRPC_PORT,
    names.NODE_MANAGER_PORT,
    names.OBJECT_MANAGER_PORT,
    names.RUNTIME_ENV_AGENT_PORT,
    names.METRICS_PORT,
    names.CLIENT_SERVER_PORT,
    names.MIN_WORKER_PORT,
]

# What a reader without rights can see; /proc and /sys are the kernel's, not files of ours.
PLACES = "/boot /etc /home /opt /root /run /srv /tmp /usr/local /var"


@pytest.mark.parametrize(
    "path", ["/api/version", "/api/jobs/", "/api/v0/nodes?limit=10", "/api/cluster_status"]
)
def test_the_dashboard_answers_only_to_the_token(cluster: Cluster, path: str) -> None:
    with dashboard(cluster) as (url, token):
        assert ask(f"{url}{path}")[0] == 401
        assert ask(f"{url}{path}", "0" * 64)[0] == 403
        assert ask(f"{url}{path}", token)[0] == 200


def test_no_host_has_a_port_of_ray_open(cluster: Cluster) -> None:
    for host in cluster.hosts:
        for port in RAY_PORTS:
            with socket.socket() as connection:
                connection.settimeout(2)
                assert connection.connect_ex((host.address, port)) != 0, f"{host.name}:{port} is open"


def test_services_open_no_port_of_a_host(cluster: Cluster) -> None:
    services = cluster.items("services", "--all-namespaces")
    assert {item["spec"]["type"] for item in services} == {"ClusterIP"}


@pytest.mark.parametrize("connection", ALWAYS_OPEN.values(), ids=ALWAYS_OPEN)
def test_the_policies_on_the_cluster_let_ray_work(
    policies: list[Mapping[str, Any]], connection: tuple[Place, Place, int]
) -> None:
    assert may_connect(policies, *connection)


@pytest.mark.parametrize("connection", ALWAYS_CLOSED.values(), ids=ALWAYS_CLOSED)
def test_the_policies_on_the_cluster_close_all_else(
    policies: list[Mapping[str, Any]], connection: tuple[Place, Place, int]
) -> None:
    assert not may_connect(policies, *connection)


@pytest.fixture(scope="module")
def policies(cluster: Cluster) -> list[Mapping[str, Any]]:
    """Return the policies that the API server has.

    Nothing here enforces them: the controllers for that come from no registry that this project can build
    from. They are evaluated by the rules of Kubernetes instead.
    """
    return [item["spec"] for item in cluster.items("networkpolicies")]


@pytest.fixture(scope="module")
def secrets(cluster: Cluster) -> dict[str, str]:
    """Return every secret of the stack by what it is."""
    outputs = cluster.outputs
    (user,) = yaml.safe_load(outputs["kubeconfig"])["users"]
    config = yaml.safe_load(cluster.server.ssh("sudo cat /etc/rancher/k3s/config.yaml"))
    return {
        "Ray's token": outputs["rayToken"],
        "the admin's key": user["user"]["client-key-data"],
        "the servers' token": config["token"],
        "the agents' token": config["agent-token"],
        "the SSH key": cluster.site.key_file.read_text().splitlines()[1],
    }


def test_no_secret_was_ever_in_a_process_list(cluster: Cluster, secrets: dict[str, str]) -> None:
    assert len(cluster.watch.seen) > 100
    shown = "\n".join(cluster.watch.seen)
    assert [name for name, secret in secrets.items() if secret in shown] == []


def test_no_secret_is_in_a_journal(cluster: Cluster, secrets: dict[str, str]) -> None:
    for host in cluster.hosts:
        journal = host.ssh("sudo journalctl --no-pager")
        assert "Accepted publickey" in journal
        assert [name for name, secret in secrets.items() if secret in journal] == []


def test_no_file_that_anyone_may_read_has_a_secret(cluster: Cluster, secrets: dict[str, str]) -> None:
    patterns = "\n".join(secrets.values())
    search = "sudo --user=nobody grep --recursive --no-messages --files-with-matches --fixed-strings --file=-"
    for host in cluster.hosts:
        assert (
            host.ssh("echo found-me | tee /tmp/readable > /dev/null; " + search + " /tmp", stdin="found-me")
            != ""
        )
        assert host.ssh(f"{search} {PLACES} || test $? != 0", stdin=patterns) == ""


def test_no_secret_is_in_clear_in_the_state(cluster: Cluster, secrets: dict[str, str]) -> None:
    files = [path for path in cluster.program.folder.parent.glob("backend/**/*") if path.is_file()]
    assert any(b"pi1-install" in path.read_bytes() for path in files)
    for path in files:
        content = path.read_text(errors="replace")
        assert [name for name, secret in secrets.items() if secret in content] == [], path
