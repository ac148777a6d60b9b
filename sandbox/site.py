"""Everything around the simulated Pis: network, mirror with k3s, registry with the Ray image."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sandbox import release
from sandbox.arm64_names import offered_as_arm64
from sandbox.images.arm64_image import REPOSITORY, TAG, arm64_store
from sandbox.images.ray_image import ray_store
from sandbox.images.registry import IMAGE, PLAIN_IMAGE, PORT, Registry
from sandbox.kuberay.release import MIRROR, STORE, kuberay_release, operator_image
from sandbox.machine import internet
from sandbox.machine.cache import link_tree
from sandbox.machine.docker import GATEWAY, Docker
from sandbox.machine.emulation import arm64_programs
from sandbox.machine.progress import Progress
from sandbox.machine.runtime import Service, runtime_directory
from sandbox.pi.host import PLAIN, Hardware, Host, ssh_key
from sandbox.pi.host_image import NAME as HOST_IMAGE
from sandbox.pi.host_image import host_image
from sandbox.stack import Sources, StackHost, stack_config, stack_text

MIRROR_PORT = 8000
CLASSROOM_PORT = 8002


class Site:
    """A place for simulated Pis.

    Args:
        runtime: Directory of all its state; `close` removes it.
    """

    def __init__(self, runtime: Path | None = None) -> None:
        self._runtime = runtime or runtime_directory()
        self._docker = Docker(self._runtime)
        self._registry = Registry(self._runtime)
        self._mirror_server = Service("mirror", self._runtime)
        self._mirror = self._runtime / "mirror"
        self._stand_in = False

    def open(self, progress: Progress) -> None:
        """Make what is not made yet and start what does not run yet.

        Args:
            progress: Shows the phases.

        Raises:
            SandboxError: If something cannot be had.
        """
        self._runtime.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._stand_in = not release.real_releases_reachable()
        with progress.phase("Debian for the simulated Pis (a minute, once)"):
            root = host_image()
        with progress.phase("Docker daemon and network of the sandbox's own"):
            self._docker.start()
            self._docker.import_image(root, HOST_IMAGE)
        if self._stand_in:
            with progress.phase("Kubernetes, from its sources, as a stand-in for k3s (8 minutes, once)"):
                shutil.rmtree(self._mirror, ignore_errors=True)
                # Of links: a test may then put something else in its place.
                link_tree(release.mirror(), self._mirror)
        else:
            internet.open_way()
        with progress.phase("the Ray image of images/ray (2 minutes, once)"):
            store = ray_store(self._docker)
        with progress.phase("registry and mirror"):
            self._registry.start(store)
            self._serve_mirror()

    def add_kuberay(self, progress: Progress) -> None:
        """Have what a stack in KubeRay mode needs, where its release is not reached.

        Args:
            progress: Shows the phase.

        Raises:
            SandboxError: If the operator cannot be built.
        """
        if self._stand_in:
            with progress.phase("the KubeRay operator, from its sources (3 minutes, once)"):
                made = kuberay_release(self._docker)
                self._registry.add(made / STORE)
                link_tree(made / MIRROR, self._mirror)

    def close(self) -> None:
        """Remove every host and end all that runs; what is cached stays."""
        for service in (self._mirror_server, self._registry, self._docker):
            service.stop()
        internet.close_way()
        if self._runtime.exists():
            shutil.rmtree(self._runtime)

    @property
    def is_open(self) -> bool:
        """Whether it runs already, for whomever."""
        return self._docker.runs

    @property
    def mirror_folder(self) -> Path:
        """Directory of what the mirror serves, where there is one."""
        return self._mirror

    @property
    def key_file(self) -> Path:
        """Private SSH key of user pi on every host."""
        return ssh_key(self._runtime / "ssh")

    def host(self, name: str) -> Host:
        """Return a host by its name, whether it has been started or not."""
        return Host(name, self._docker, self.key_file)

    def start(self, name: str, hardware: Hardware = PLAIN) -> Host:
        """Return a fresh host that has been switched on; it may not be up yet."""
        host = self.host(name)
        host.start(hardware, trusted=self._registry.authority)
        return host

    def start_all(self, names: Sequence[str]) -> list[Host]:
        """Return fresh plain hosts that are up; those that run already are taken as they are."""
        hosts = [self.host(name) for name in names]
        for host in hosts:
            if not host.is_there():
                self.start(host.name)
        for host in hosts:
            host.wait_until_up()
        return hosts

    def sources(self) -> Sources:
        """Return where a stack on these hosts gets its software from."""
        if not self._stand_in:
            return Sources(arch=release.architecture(), image=IMAGE)
        return Sources(
            arch=release.architecture(),
            image=IMAGE,
            mirror=f"http://{GATEWAY}:{MIRROR_PORT}",
            install_script_sha256=release.install_script_sha256(),
            operator_image=operator_image(),
        )

    def sources_from(self, mirror: str) -> Sources:
        """Return the same with what a mirror at another address has, where there is a mirror."""
        return replace(self.sources(), mirror=mirror) if self._stand_in else self.sources()

    def stack_text(
        self, hosts: Sequence[Host], workers: int, ray: Mapping[str, Any] = MappingProxyType({})
    ) -> str:
        """Return the text of the stack file for hosts that are up; the first is the server.

        Args:
            hosts: All hosts.
            workers: Number of Ray workers.
            ray: As for stack_config.
        """
        described = [
            StackHost(
                name=host.name,
                address=host.address,
                host_key=host.host_key,
                role="agent" if index else "server",
            )
            for index, host in enumerate(hosts)
        ]
        config = stack_config(described, self.key_file, self.sources(), workers=workers, ray=ray)
        return stack_text(config)

    @contextmanager
    def registry_without_tls(self, login: str = "") -> Iterator[Sources]:
        """Serve the Ray image by plain HTTP, too, inside the block; yield the sources of such a stack.

        Args:
            login: A line of an htpasswd file, with bcrypt; empty for a registry that asks for none.
        """
        with self._registry.without_tls(login):
            yield replace(self.sources(), image=PLAIN_IMAGE, plain_http=True)

    @property
    def docker_env(self) -> Mapping[str, str]:
        """Variables that lead a docker client to the daemon of the sandbox, which trusts its registry."""
        return self._docker.env

    @property
    def has_stand_in(self) -> bool:
        """Whether k3s is the stand-in."""
        return self._stand_in

    @contextmanager
    def as_arm64(self) -> Iterator[Sources]:
        """Let pods be arm64 programs inside the block; yield where a stack of such hosts has its software.

        k3s itself is this machine's: the hosts need Hardware(card=("arm64",)), and their Nodes the label.

        Raises:
            SandboxError: If the image cannot be made or programs cannot be emulated.
        """
        self._registry.add(arm64_store())
        image = f"{GATEWAY}:{PORT}/{REPOSITORY}:{TAG}"
        with arm64_programs(), offered_as_arm64(self._mirror):
            yield replace(self.sources(), arch="arm64", image=image)

    @contextmanager
    def classroom(self, mirror: Path, hosts: Sequence[Host], ports: Sequence[int] = ()) -> Iterator[str]:
        """Serve a mirror to hosts that reach nothing else inside the block; yield its URL.

        Args:
            mirror: What is served.
            hosts: The hosts; they reach each other.
            ports: Ports of this machine that they reach as well.
        """
        server = Service("classroom", self._runtime)
        command = [sys.executable, "-m", "http.server", str(CLASSROOM_PORT)]
        server.start(*command, f"--bind={GATEWAY}", f"--directory={mirror}")
        try:
            with internet.alone([host.address for host in hosts], [CLASSROOM_PORT, *ports]):
                yield f"http://{GATEWAY}:{CLASSROOM_PORT}"
        finally:
            server.stop()

    @contextmanager
    def wrong_sum(self, version: str) -> Iterator[None]:
        """Let the mirror's list of sums for a release be wrong inside the block."""
        (sums,) = (self._mirror / version).glob("sha256sum-*.txt")
        right = sums.resolve()
        text = right.read_text()
        sums.unlink()
        wrong = [("0" if line[0] != "0" else "1") + line[1:] for line in text.splitlines(keepends=True)]
        sums.write_text("".join(wrong))
        try:
            yield
        finally:
            sums.unlink()
            sums.symlink_to(right)

    def _serve_mirror(self) -> None:
        if self._stand_in:
            server = [sys.executable, "-m", "http.server", str(MIRROR_PORT)]
            self._mirror_server.start(*server, f"--bind={GATEWAY}", f"--directory={self._mirror}")
