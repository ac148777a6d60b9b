"""A Docker daemon of the sandbox's own: nobody else's containers, images, networks or firewall rules."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox.machine.process import SandboxError, run
from sandbox.machine.runtime import NUMBER, SUFFIX, Service

NETWORK = "pinet"
BRIDGE = f"pibr{NUMBER}"
SUBNET = f"10.77.{NUMBER}.0/24"
GATEWAY = f"10.77.{NUMBER}.1"

# As iptables lists it.
_PASS = f"FORWARD -i {BRIDGE} -o {BRIDGE} -j ACCEPT"
# Each host's systemd, kubelet and containerd take some: Linux's default, 128, is too few for a dozen hosts.
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES = 2048
_START_S = 60
# Longer than the build of an image takes.
_COMMAND_S = 1800


class Docker:
    """The daemon, and the network of the simulated Pis.

    Args:
        runtime: Directory for its socket, its state and its images.
    """

    def __init__(self, runtime: Path) -> None:
        self._folder = runtime / "docker"
        self._socket = runtime / "docker.sock"
        self._service = Service("dockerd", runtime)

    @property
    def env(self) -> Mapping[str, str]:
        """Variables that lead a docker client to this daemon."""
        return {"DOCKER_HOST": f"unix://{self._socket}"}

    @property
    def runs(self) -> bool:
        """Whether the daemon runs."""
        return self._service.runs()

    def start(self) -> None:
        """Start the daemon and make the network, where they are not there yet.

        What this machine allows of inotify is raised and stays so: others may have come to rely on it.
        """
        if int(_INOTIFY.read_text()) < _INOTIFY_INSTANCES:
            _INOTIFY.write_text(str(_INOTIFY_INSTANCES))
        self._service.start(
            "dockerd",
            f"--host=unix://{self._socket}",
            f"--data-root={self._folder / 'data'}",
            f"--exec-root={self._folder / 'exec'}",
            f"--pidfile={self._folder / 'dockerd.pid'}",
            # Where a containerd runs already, dockerd uses that one.
            f"--containerd-namespace=piray{SUFFIX}",
            f"--containerd-plugins-namespace=piray-plugins{SUFFIX}",
            "--storage-driver=overlay2",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            # The hosts talk to each other and to this machine; nothing of this machine's network is touched.
            "--bridge=none",
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            # The sandbox's registry has a certificate of the sandbox's own authority.
            f"--insecure-registry={SUBNET}",
        )
        deadline = time.monotonic() + _START_S
        while True:
            self._service.check()
            try:
                self("version")
                break
            except SandboxError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        if NETWORK not in self("network", "ls", "--format={{.Name}}").split():
            bridge = f"com.docker.network.bridge.name={BRIDGE}"
            self(
                "network", "create", f"--subnet={SUBNET}", f"--gateway={GATEWAY}", f"--opt={bridge}", NETWORK
            )

        # Another Docker's policy drops what any bridge forwards, from one of its ports to another included.
        if "-P FORWARD DROP" in _forwarding() and _PASS not in _forwarding():
            run("iptables", "--wait", "-I", *_PASS.split())

    def stop(self) -> None:
        """Remove every container and the network, and end the daemon."""
        if _PASS in _forwarding():
            run("iptables", "--wait", "-D", *_PASS.split())
        if self._service.runs():
            self._remove_all()
            self._service.stop()
        _unmount_below(self._folder)

    def _remove_all(self) -> None:
        # One after the other: Docker 20.10 locks up when containers of one network end at once (libnetwork's
        # processEndpointDelete and getSvcRecords take two locks in opposite order).
        for container in self("ps", "--all", "--quiet").split():
            self("rm", "--force", "--volumes", container)
        if NETWORK in self("network", "ls", "--format={{.Name}}").split():
            self("network", "rm", NETWORK)

    def __call__(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """Run the docker client and return its standard output.

        Raises:
            SandboxError: If it ends with an error.
        """
        return run("docker", f"--host=unix://{self._socket}", *arguments, stdin=stdin, timeout=_COMMAND_S)

    def import_image(self, tar: Path, name: str) -> None:
        """Import a root file system as an image, unless an image of that name is there.

        Args:
            tar: The file system.
            name: Name and tag of the image.
        """
        if not self("images", "--quiet", name).strip():
            self("import", tar, name)


def _forwarding() -> str:
    """Return this machine's rules for what it forwards; empty where it has no such firewall."""
    return run("iptables", "--wait", "-S", "FORWARD") if shutil.which("iptables") else ""


def _unmount_below(folder: Path) -> None:
    """Unmount what the daemon leaves mounted below its directory: many when it is killed."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed([mount for mount in mounts if mount.startswith(f"{folder}/")]):
        run("umount", "--lazy", place)
