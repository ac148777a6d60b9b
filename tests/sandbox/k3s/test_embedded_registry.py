"""Two Nodes of the stand-in for k3s: what one of them has of images, the other gets from it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.k3s.release import k3s_release
from sandbox.images.archive import write_image_archive
from sandbox.machine.process import SandboxError, run
from sandbox.pi.host import Host
from sandbox.release import VERSIONS, architecture, mirror
from tests.sandbox.making import Making, prepare

IN_CONTAINERD = "piray.internal/ray:2.60.0-0123456789ab"
LATEST = "piray.internal/ray:latest"
IN_AGENT_IMAGES = "registry.example/piray/ray:1"
# Nothing listens there.
OF_NO_SHARED_REGISTRY = "127.0.0.1:9/piray/ray:1"

PINNED = "io.cri-containerd.pinned=pinned"
DATA = "/var/lib/rancher/k3s"
CTR = "k3s ctr --namespace k8s.io images"
REGISTRIES = 'mirrors:\n  "piray.internal":\n  registry.example: {}\n'


@dataclass(frozen=True)
class Nodes:
    """The two Nodes of a cluster."""

    server: Host
    agent: Host


@pytest.fixture(scope="module")
def nodes(making: Making, tmp_path_factory: pytest.TempPathFactory) -> Nodes:
    """Return a server that has images and an agent that has none."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "program").write_text("#!/bin/true\n")
    server, agent = making.host(), making.host()
    with ThreadPoolExecutor() as threads:
        list(threads.map(make_ready, (server, agent)))
    packed = archive(folder / "packed.tar", IN_AGENT_IMAGES)
    run("zstd", "--quiet", packed)
    server.docker("cp", f"{packed}.zst", f"{server.name}:{DATA}/agent/images/")
    start(server, "server", "embedded-registry: true\n")
    agent.ssh(f"sudo tee {DATA}/agent/images/list.txt", stdin=f"{IN_AGENT_IMAGES}\n")
    start(agent, "agent", f"server: https://{server.address}:6443\n")
    for image in (IN_CONTAINERD, LATEST, OF_NO_SHARED_REGISTRY):
        server.docker("cp", archive(folder / "image.tar", image), f"{server.name}:/root/image.tar")
        server.as_root(f"{CTR} import /root/image.tar")
    return Nodes(server, agent)


def make_ready(host: Host) -> None:
    """Give a host the control groups that Kubernetes needs, and room for what is installed on it."""
    host.wait_until_up()
    boot = prepare(host)["boot_id"]
    host.wait_for(f"test $(cat /proc/sys/kernel/random/boot_id) != {boot}")
    host.wait_until_up()
    host.as_root(f"mkdir -p /etc/rancher/k3s {DATA}/agent/images")


def archive(path: Path, image: str) -> Path:
    write_image_archive(path, {image: path.parent / "program"}, architecture())
    return path


def start(host: Host, role: str, config: str) -> None:
    """Install the stand-in as its install script does, and start it."""
    release = mirror()
    binary = release / VERSIONS[0] / k3s_release(VERSIONS[0], architecture()).binary_name
    host.docker("cp", binary, f"{host.name}:/usr/local/bin/k3s")
    host.docker("cp", release / "install.sh", f"{host.name}:/root/install.sh")
    # The kubelet refuses the simulated hosts' control groups otherwise.
    config += "kubelet-arg: fail-cgroupv1=false\n"
    config += f"token: a-token\nnode-name: {host.name}\nnode-ip: {host.address}\n"
    for name, text in {"config.yaml": config, "registries.yaml": REGISTRIES}.items():
        host.ssh(f"sudo tee /etc/rancher/k3s/{name}", stdin=text)
    install = f"INSTALL_K3S_SKIP_DOWNLOAD=true sh /root/install.sh {role}"
    said = "journalctl --no-pager --lines=20 --output=cat '--unit=k3s*'"
    host.as_root(f"chmod 755 /usr/local/bin/k3s; {install} || {{ {said}; exit 1; }}")


def pull(host: Host, image: str) -> None:
    host.as_root(f"{CTR} pull --hosts-dir {DATA}/agent/etc/containerd/certs.d {image}")


def digest(host: Host, image: str) -> str:
    """Return the digest of an image, empty where it is not there."""
    lines = host.as_root(f"{CTR} ls name=={image}").splitlines()[1:]
    return lines[0].split()[2] if lines else ""


def test_an_image_that_only_the_server_has_comes_from_there(nodes: Nodes) -> None:
    assert not digest(nodes.agent, IN_CONTAINERD)
    pull(nodes.agent, IN_CONTAINERD)
    assert digest(nodes.agent, IN_CONTAINERD) == digest(nodes.server, IN_CONTAINERD) != ""


@pytest.mark.parametrize(
    "name", ["piray.internal/ray:0", LATEST, OF_NO_SHARED_REGISTRY], ids=["unknown", "latest", "not shared"]
)
def test_an_image_that_nobody_gives_is_looked_for_at_its_registry_itself(nodes: Nodes, name: str) -> None:
    with pytest.raises(SandboxError, match="failed to do request: Head|dial tcp"):
        pull(nodes.agent, name)


def test_what_archives_hold_and_lists_name_is_there_and_pinned(nodes: Nodes) -> None:
    for host in (nodes.server, nodes.agent):
        host.wait_for(f"sudo {CTR} ls name=={IN_AGENT_IMAGES} | grep --quiet {PINNED}")
    assert digest(nodes.agent, IN_AGENT_IMAGES) == digest(nodes.server, IN_AGENT_IMAGES)


@pytest.mark.parametrize(
    ("certificate", "accepted"),
    [("", False), ("server/tls/client-admin", False), ("agent/client-kubelet", True)],
    ids=["a stranger", "an administrator", "a node"],
)
def test_only_nodes_are_answered(nodes: Nodes, certificate: str, accepted: bool) -> None:
    own = f"--cert {DATA}/{certificate}.crt --key {DATA}/{certificate}.key" if certificate else ""
    trusted = f"--cacert {DATA}/agent/server-ca.crt"
    address = f"https://{nodes.server.address}:5001/v2/"
    # 000 says that there was no answer.
    asked = f"curl --silent --write-out %{{http_code}} {trusted} {own} {address} || true"
    assert nodes.server.as_root(asked) == ("200" if accepted else "000")
