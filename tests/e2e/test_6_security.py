"""Who gets in, and where secrets are not."""

import socket
from collections.abc import Iterable, Iterator

import pytest
import yaml

from infra import names
from sandbox.machine.docker import GATEWAY
from sandbox.site import MIRROR_PORT
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

# Addresses that k3s gives by default. https://docs.k3s.io/cli/server
KUBERNETES_SERVICE, DNS_SERVICE = "10.43.0.1", "10.43.0.10"
SSH_PORT = 22
CONNECT = """
import socket, sys
for place in sys.argv[1:]:
    address, _, port = place.rpartition(":")
    try:
        socket.create_connection((address, int(port)), timeout=3).close()
        print(place)
    except OSError:
        pass
"""

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


@pytest.fixture(scope="module")
def addresses(cluster: Cluster) -> dict[str, str]:
    """Return the addresses of the pods of Ray by their names."""
    pods = [*cluster.items("pods", "--selector=app.kubernetes.io/name=ray")]
    return {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in pods}


@pytest.fixture
def stranger(cluster: Cluster) -> Iterator[str]:
    """Yield a pod of another namespace, which nothing keeps from connecting."""
    image = cluster.site.sources().image
    run = ["run", "stranger", "--namespace=default", f"--image={image}", "--restart=Never"]
    cluster.kubectl(*run, "--command", "--", "sleep", "600")
    try:
        cluster.kubectl(
            "wait", "--namespace=default", "--for=condition=Ready", "pod/stranger", "--timeout=120s"
        )
        yield "stranger"
    finally:
        cluster.kubectl("delete", "pod", "stranger", "--namespace=default", "--grace-period=0", "--force")


def reached(
    cluster: Cluster, pod: str, places: Iterable[tuple[str, int]], namespace: str = "ray"
) -> set[str]:
    """Connect from inside a pod; return the places, as ADDRESS:PORT, that took the connection."""
    words = [f"{address}:{port}" for address, port in places]
    options = [f"--namespace={namespace}", pod, "--", "python3", "-c", CONNECT]
    return set(cluster.kubectl("exec", *options, *words).split())


def test_pods_of_ray_reach_each_other_on_its_ports(cluster: Cluster, addresses: dict[str, str]) -> None:
    (head,) = [pod.name for pod in cluster.pods("head")]
    agent = names.DASHBOARD_AGENT_PORT
    for name in addresses:
        wanted = [(addresses[head], names.GCS_PORT), *((address, agent) for address in addresses.values())]
        assert reached(cluster, name, wanted) == {f"{address}:{port}" for address, port in wanted}


def test_no_other_namespace_reaches_a_port_of_ray(
    cluster: Cluster, addresses: dict[str, str], stranger: str
) -> None:
    dns = (DNS_SERVICE, 53)
    ports = [(address, port) for address in addresses.values() for port in RAY_PORTS]
    assert reached(cluster, stranger, [dns, *ports], "default") == {f"{DNS_SERVICE}:53"}


def test_pods_of_ray_reach_neither_the_hosts_nor_the_network_around_them_nor_kubernetes(
    cluster: Cluster, addresses: dict[str, str], stranger: str
) -> None:
    hosts = [(host.address, SSH_PORT) for host in cluster.hosts]
    places = [*hosts, (GATEWAY, MIRROR_PORT), (KUBERNETES_SERVICE, 443)]
    everybody = {f"{address}:{port}" for address, port in places}
    assert reached(cluster, stranger, places, "default") == everybody, "nothing else keeps a pod from it"
    for name in addresses:
        assert reached(cluster, name, places) == set(), name


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
