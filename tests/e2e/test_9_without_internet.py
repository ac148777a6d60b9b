"""A class without internet: `piray mirror` fills a directory, and one host reaches nothing else.

The host has Wi-Fi besides, and its default route leaves by that: where k3s is left to itself, flannel takes
the interface of the default route. https://docs.k3s.io/networking/basic-network-options
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sandbox.images.registry import IMAGE, PORT
from sandbox.machine.docker import GATEWAY
from sandbox.pi.host import Host
from sandbox.site import Site
from sandbox.stack import STACK
from tests.checkout import Checkout
from tests.e2e.cluster import Cluster, cluster_on
from tests.wheel import FILE, MODULE, NAME, PACKAGE, write_wheel
from workloads.runner import pi_job, stack_outputs

# At each boot. Nobody is at the other end of the air.
WIFI = """
set -eu
cat >/etc/systemd/system/wifi.service <<'X'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link add wlan0 type veth peer name air
ExecStart=ip link set air up
ExecStart=ip link set wlan0 up
ExecStart=ip address add 192.168.77.7/24 dev wlan0
ExecStart=ip route replace default via 192.168.77.1 dev wlan0
[Install]
WantedBy=multi-user.target
X
systemctl --quiet enable --now wifi
"""


@pytest.fixture(scope="module")
def mirror(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a mirror that `piray mirror` has filled: k3s from where the sandbox has it, Ray by docker."""
    folder = tmp_path_factory.mktemp("class")
    sources, bin_folder = site.sources(), tmp_path_factory.mktemp("bin")
    # Whatever other programs for images this machine has: only docker knows the sandbox's registry.
    (bin_folder / "docker").symlink_to(str(shutil.which("docker")))
    options = ["--arch", sources.arch, "--image", IMAGE]
    if sources.mirror:
        options += ["--from", sources.mirror, "--install-script-sha256", str(sources.install_script_sha256)]
    program = Checkout(tmp_path_factory.mktemp("filling"))
    program.env |= {**site.docker_env, "PATH": f"{bin_folder}"}
    filled = program.piray("mirror", str(folder), *options)
    assert filled.code == 0, filled.said
    checked = program.piray("mirror", str(folder), "--check", *options)
    assert checked.code == 0, checked.said
    return folder


@pytest.fixture(scope="module")
def lonely(
    site: Site, engine: Path | None, mirror: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Yield a stack of one host that reaches the mirror and nothing else; nothing has been done to it yet."""
    (host,) = site.start_all(["pi21"])
    host.as_root(WIFI)
    program = Checkout(tmp_path_factory.mktemp("lonely"), engine)
    with site.classroom(mirror, [host]) as url, cluster_on(site, program, [host]) as cluster:
        cluster.workers = 1
        cluster.sources = replace(site.sources(), mirror=url)
        cluster.before = {host.name: host.files()}
        yield cluster


def reaches(host: Host, url: str) -> bool:
    return "yes" in host.ssh(
        f"curl --insecure --silent --max-time 5 --output /dev/null {url} && echo yes || true"
    )


def test_the_host_reaches_the_mirror_and_nothing_else(lonely: Cluster) -> None:
    host = lonely.server
    assert lonely.sources is not None
    assert reaches(host, f"{lonely.sources.mirror}/install.sh")
    assert not reaches(host, f"https://{GATEWAY}:{PORT}/v2/")
    assert not reaches(host, "https://registry-1.docker.io/v2/")


def test_a_mirror_without_the_images_of_k3s_is_refused_before_a_pod_waits_for_them(
    lonely: Cluster, mirror: Path
) -> None:
    (archive,) = mirror.glob("v*/k3s-airgap-images-*")
    aside = archive.rename(archive.with_name("aside"))
    try:
        up = lonely.up()
    finally:
        aside.rename(archive)
    assert up.code != 0
    assert "without the images of k3s no pod can start" in up.said
    assert "piray mirror DIR" in up.said


def test_from_a_bare_host_to_the_pi_job(lonely: Cluster) -> None:
    up = lonely.up()
    assert up.code == 0, up.said
    outputs = stack_outputs.parse(lonely.outputs, STACK)
    assert outputs.kubeconfig
    assert outputs.namespace
    assert outputs.pi_job
    done = pi_job.read(outputs.kubeconfig, outputs.namespace, outputs.pi_job)
    assert len(done.parts) == outputs.pi_job.completions
    assert {pod.ready for pod in [*lonely.pods("head"), *lonely.pods("worker")]} == {True}


def test_pods_talk_over_the_interface_with_the_address_though_the_default_route_leaves_by_another(
    lonely: Cluster,
) -> None:
    host = lonely.server
    assert "dev wlan0" in host.ssh("ip route show default")
    config = yaml.safe_load(host.ssh("sudo cat /etc/rancher/k3s/config.yaml"))
    assert (config["node-ip"], config["flannel-iface"]) == (host.address, "eth0")


def test_a_job_runs_on_it(lonely: Cluster, tmp_path: Path) -> None:
    ended = lonely.piray("pi", "--output", str(tmp_path))
    assert ended.code == 0, ended.said


def said_by_installers(cluster: Cluster) -> list[str]:
    """Return the last line that each of Ray's pods said about the packages that the image lacks."""
    names = cluster.kubectl(
        "get", "pods", "--namespace=ray", "--selector=app.kubernetes.io/name=ray", "--output=name"
    )
    logs = [
        cluster.kubectl("logs", "--namespace=ray", name, "--container=packages") for name in names.split()
    ]
    return sorted(log.strip().splitlines()[-1].partition(": ")[2] for log in logs)


def test_a_host_installs_once_from_the_mirror_what_the_image_lacks(
    lonely: Cluster, mirror: Path, tmp_path: Path
) -> None:
    (mirror / "wheels").mkdir(exist_ok=True)
    write_wheel(mirror / "wheels")
    lonely.runtime_packages = (PACKAGE,)
    up = lonely.up()
    assert up.code == 0, up.said
    assert up.names("create") == {
        "ray-internet",
        "ray-packages-claim",
        "ray-packages-settings",
        "ray-packages-volume",
    }
    # Head and worker are on the same host.
    assert said_by_installers(lonely) == ["installed", "there already, nothing to install"]
    ended = lonely.piray("connectivity", "--output", str(tmp_path))
    assert ended.code == 0, ended.said
    importing = ["python", "-c", f"import {MODULE}"]
    submitted = lonely.program.piray("submit", "--stack", STACK, "--", *importing)
    assert submitted.code == 0, submitted.said


def test_a_job_that_brings_another_version_has_that_one(lonely: Cluster, mirror: Path) -> None:
    write_wheel(mirror / "wheels", "WHOSE = 'of the job'", version="2.0")
    printing = ["python", "-c", f"import {MODULE}; print({MODULE}.WHOSE)"]
    submitted = lonely.program.piray("submit", "--stack", STACK, "--pip", f"{NAME}==2.0", "--", *printing)
    assert submitted.code == 0, submitted.said
    assert "of the job" in submitted.stdout


def test_a_worker_that_starts_anew_installs_nothing(lonely: Cluster, mirror: Path) -> None:
    (mirror / "wheels" / FILE).unlink()
    worker = "--selector=app.kubernetes.io/component=worker"
    lonely.kubectl("delete", "pod", "--namespace=ray", worker)
    lonely.kubectl("wait", "pod", "--namespace=ray", worker, "--for=condition=Ready", "--timeout=600s")
    assert "there already, nothing to install" in said_by_installers(lonely)


def test_the_images_go_with_k3s(lonely: Cluster) -> None:
    down = lonely.down()
    assert down.code == 0, down.said
    assert lonely.server.files() == lonely.before[lonely.server.name]
