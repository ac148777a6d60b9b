"""An archive of the Ray image on the user's machine, and hosts that reach neither registry nor internet."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.images.registry import IMAGE, PLAIN_PORT, PORT
from sandbox.machine.process import SandboxError, run
from sandbox.pi.host import Host
from sandbox.site import Site
from sandbox.stack import STACK
from tests.checkout import Checkout
from tests.e2e.cluster import Cluster, cluster_on, wait_until, whole

NAMES = ["pi31", "pi32", "pi33"]
NAME = "piray.internal/ray:e2e"
USER, PASSWORD = "anna", "five-red-apples"
LOGIN = f"{USER}:$2y$05$abcdefghijklmnopqrstuuAskrHLGLKWawSda.6YTOhZdt/suHV0S"
TRUSTED = "/etc/ssl/certs/sandbox.pem"
PARTIAL = "/var/lib/rancher/k3s/agent/.piray-delivery-*"
SENT = "gets the Ray image from this machine"

# Nearly a gigabyte is sent, unpacked and passed on, and a sweep waits for its end.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def archive(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield an archive of the Ray image, which has a name of its own in it."""
    file, env = tmp_path_factory.mktemp("archive") / "ray.tar", site.docker_env
    run("docker", "pull", "--quiet", IMAGE, env=env)
    run("docker", "tag", IMAGE, NAME, env=env)
    run("docker", "save", f"--output={file}", NAME, env=env)
    run("docker", "rmi", NAME, IMAGE, env=env)
    yield file
    file.unlink()


def keys(file: Path) -> dict[str, str]:
    return {"source": "archive", "file": str(file), "reference": NAME}


@pytest.fixture(scope="module")
def isolated(
    site: Site, engine: Path | None, archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Yield a stack of three bare hosts; a fourth one is up beside them, and not in the stack yet."""
    hosts = site.start_all([*NAMES, "pi34"])
    program = Checkout(tmp_path_factory.mktemp("isolated"), engine)
    with (
        site.classroom(site.mirror_folder, hosts, [PLAIN_PORT, PORT]) as url,
        cluster_on(site, program, hosts) as cluster,
    ):
        cluster.sources = site.sources_from(url)
        cluster.ray = {"image": keys(archive)}
        cluster.before = {host.name: host.files() for host in hosts}
        fourth = cluster.hosts.pop()
        try:
            yield cluster
        finally:
            if fourth not in cluster.hosts:
                fourth.remove()


def images(host: Host) -> dict[str, str]:
    """Return the labels of the images of Ray on a host, by their names."""
    listed = host.as_root("k3s ctr --namespace k8s.io images list").splitlines()[1:]
    return {line.split()[0]: line.split()[-1] for line in listed if line.startswith("piray.internal/ray:")}


def partial(host: Host) -> int:
    """Return how many bytes of an archive have come; none while the host restarts."""
    try:
        return int(host.as_root(f"stat --format=%s {PARTIAL} 2>/dev/null || echo 0"))
    except SandboxError:
        return 0


def pinned(host: Host) -> set[str]:
    return {name for name, labels in images(host).items() if "io.cri-containerd.pinned=pinned" in labels}


def test_an_archive_that_was_cut_off_is_refused_before_anything_is_changed(
    isolated: Cluster, archive: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.tar"
    with archive.open("rb") as whole_archive:
        cut.write_bytes(whole_archive.read(1 << 20))
    isolated.ray = {"image": {**keys(archive), "file": str(cut)}}
    up = isolated.up()
    isolated.ray = {"image": keys(archive)}
    assert up.code != 0
    assert "cut.tar is not an archive" in up.said
    assert "Nothing has been changed" in up.said
    assert "Traceback" not in up.said
    assert {host.name: host.files() for host in isolated.hosts} == {
        host.name: isolated.before[host.name] for host in isolated.hosts
    }


def test_a_transfer_that_is_cut_is_told_and_the_next_up_goes_on_from_there(isolated: Cluster) -> None:
    isolated.configure()
    running = isolated.program.start_deploy("up", STACK)
    wait_until(lambda: running.poll() is not None or partial(isolated.server) > 0, timeout=240)
    isolated.server.cut_ssh()
    cut = isolated.program.deployed(running)
    assert cut.code != 0
    assert "Traceback" not in cut.said
    size = partial(isolated.server)
    assert size, cut.said
    up = isolated.up()
    assert up.code == 0, up.said
    assert up.said.count(SENT) == 1
    assert f"pi31 {SENT}: {size / 1e6:.0f} of" in up.said


def test_all_three_have_it_though_it_left_this_machine_once(isolated: Cluster) -> None:
    assert {host.name: pinned(host) for host in isolated.hosts} == {name: {NAME} for name in NAMES}
    assert whole(isolated)
    assert not partial(isolated.server)


def test_a_fourth_host_gets_it_without_this_machine(isolated: Cluster, archive: Path, site: Site) -> None:
    file = archive
    aside = file.rename(file.with_suffix(".aside"))
    isolated.hosts.append(site.host("pi34"))
    isolated.workers = 3
    try:
        up = isolated.up()
    finally:
        aside.rename(file)
    assert up.code == 0, up.said
    assert SENT not in up.said
    assert pinned(isolated.host("pi34")) == {NAME}


def test_another_image_rolls_the_pods_and_a_run_meanwhile_ends_right_or_with_a_clear_line(
    isolated: Cluster, site: Site, tmp_path: Path
) -> None:
    """The other one is in a registry without TLS, which gives it to those who know the password."""
    before = {pod.uid for pod in isolated.pods()}
    sweep = isolated.program.start("workloads.cli", "sweep", "--stack", STACK, "--output", str(tmp_path))
    with site.registry_without_tls(LOGIN) as sources:
        isolated.ray = {"image": {"reference": sources.image, "plainHttp": True, "user": USER}}
        isolated.passwords = {"piray:registryPassword": PASSWORD}
        up = isolated.up()
        stdout, stderr = sweep.communicate()
        assert up.code == 0, up.said
        assert PASSWORD not in up.said
        wait_until(lambda: whole(isolated), timeout=300)
    if sweep.returncode:
        assert "piray: " in stderr
        assert "Traceback" not in stdout + stderr
    pods = isolated.items("pods")
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {sources.image}
    assert not before & {pod["metadata"]["uid"] for pod in pods}
    secret = json.loads(isolated.kubectl("get", "secret", "--namespace=ray", "ray-registry", "--output=json"))
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    ended = isolated.piray("pi", "--output", str(tmp_path))
    assert ended.code == 0, ended.said


def test_a_registry_is_trusted_by_an_authority_that_the_stack_file_alone_knows(isolated: Cluster) -> None:
    authority = isolated.server.ssh(f"cat {TRUSTED}")
    for host in isolated.hosts:
        host.as_root(f"mount --bind /dev/null {TRUSTED}")
    try:
        # A new process, which reads anew whom its host trusts.
        refusal = isolated.server.as_root(f"k3s ctr images pull {IMAGE} 2>&1 || true")
        assert "unknown authority" in refusal
        isolated.passwords = {}
        isolated.ray = {"image": {"reference": IMAGE, "caCertificate": authority}}
        up = isolated.up()
    finally:
        for host in isolated.hosts:
            host.as_root(f"umount {TRUSTED}")
    assert up.code == 0, up.said
    wait_until(lambda: whole(isolated), timeout=300)
    assert {pod["spec"]["containers"][0]["image"] for pod in isolated.items("pods")} == {IMAGE}
    assert "ray-registry" not in {item["metadata"]["name"] for item in isolated.items("secrets")}


def test_down_leaves_nothing_of_it(isolated: Cluster) -> None:
    down = isolated.down()
    assert down.code == 0, down.said
    for host in isolated.hosts:
        assert host.files() == isolated.before[host.name]
