"""A container registry for the simulated Pis, with a certificate of the sandbox's own authority."""

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from infra import versions
from sandbox.machine.cache import link_tree
from sandbox.machine.docker import GATEWAY
from sandbox.machine.process import SandboxError, run
from sandbox.machine.runtime import Service

# Not 5000: Debian's package starts a registry there, on every address.
PORT = 8001
REPOSITORY = "piray/ray"
TAG = f"{versions.RAY}-1"
IMAGE = f"{GATEWAY}:{PORT}/{REPOSITORY}:{TAG}"
PLAIN_PORT = 8003
PLAIN_IMAGE = f"{GATEWAY}:{PLAIN_PORT}/{REPOSITORY}:{TAG}"

_START_S = 20
_DAYS = "30"


class Registry:
    """The registry that the hosts pull from.

    Args:
        runtime: Directory for its certificate, its configuration and its log.
    """

    def __init__(self, runtime: Path) -> None:
        self._folder = runtime / "registry"
        self._store = self._folder / "store"
        self._service = Service("registry", runtime)
        self.authority = self._folder / "ca.crt"

    def start(self, store: Path) -> None:
        """Serve a store on the hosts' network, unless that is done already.

        Args:
            store: Directory in the layout of the registry's file system driver; it is only read.

        Raises:
            SandboxError: If it does not come up.
        """
        self._make_certificate()
        shutil.rmtree(self._store, ignore_errors=True)
        self.add(store)
        tls = {"certificate": str(self._folder / "server.crt"), "key": str(self._folder / "server.key")}
        _serve(self._service, self._folder, _config(self._store, GATEWAY, PORT, tls), GATEWAY, PORT)

    def add(self, store: Path) -> None:
        """Serve the images of another store, too, from now on.

        Args:
            store: As for `start`.
        """
        link_tree(store, self._store)

    def stop(self) -> None:
        """End it."""
        self._service.stop()

    @contextmanager
    def without_tls(self, login: str = "") -> Iterator[None]:
        """Serve the same store by plain HTTP, too, inside the block: PLAIN_IMAGE.

        Args:
            login: A line of an htpasswd file, with bcrypt; empty for a registry that asks for none.
        """
        config = yaml.safe_load((self._folder / "config.yml").read_text())
        config["http"] = {"addr": f"{GATEWAY}:{PLAIN_PORT}"}
        folder = self._folder / "plain"
        folder.mkdir(exist_ok=True)
        if login:
            (folder / "htpasswd").write_text(f"{login}\n")
            config["auth"] = {"htpasswd": {"realm": "sandbox", "path": str(folder / "htpasswd")}}
        service = Service("plain-registry", self._folder.parent)
        try:
            _serve(service, folder, config, GATEWAY, PLAIN_PORT)
            yield
        finally:
            service.stop()

    def _make_certificate(self) -> None:
        """Make an authority and a server's certificate, once for each sandbox."""
        if self.authority.exists():
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        request = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        key, server = self._folder / "ca.key", self._folder / "server.key"
        subject = "/CN=piray sandbox"
        made = self._folder / "new.crt"
        run(*request, "-days", _DAYS, "-subj", subject, "-keyout", key, "-out", made)
        run(
            *request, "-days", _DAYS, "-subj", f"/CN={GATEWAY}", "-addext", f"subjectAltName=IP:{GATEWAY}",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", made, "-CAkey", key, "-keyout", server, "-out", self._folder / "server.crt",
        )  # fmt: skip
        made.rename(self.authority)


@contextmanager
def pushed(store: Path) -> Iterator[str]:
    """Run a registry on the loopback interface, where a Docker daemon pushes without certificates.

    Args:
        store: Empty directory that it fills.

    Yields:
        Its address, `host:port`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="piray-registry-") as name:
        service = Service("registry", Path(name))
        try:
            _serve(service, Path(name), _config(store, "127.0.0.1", port), "127.0.0.1", port)
            yield f"127.0.0.1:{port}"
        finally:
            service.stop()


def _config(store: Path, host: str, port: int, tls: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the configuration; with a certificate the store is only read.

    https://distribution.github.io/distribution/about/configuration/
    """
    storage: dict[str, Any] = {"filesystem": {"rootdirectory": str(store)}}
    if tls:
        storage["maintenance"] = {"readonly": {"enabled": True}}
    return {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": storage,
        "http": {"addr": f"{host}:{port}", **({"tls": dict(tls)} if tls else {})},
    }


def _serve(service: Service, folder: Path, config: Mapping[str, Any], host: str, port: int) -> None:
    if not service.runs() and _answers(host, port):
        raise SandboxError(
            f"another program has port {port} of {host}, which the sandbox's registry needs; end that one"
        )
    file = folder / "config.yml"
    file.write_text(yaml.safe_dump(dict(config)))
    service.start("docker-registry", "serve", file)
    deadline = time.monotonic() + _START_S
    while True:
        service.check()
        if _answers(host, port):
            return
        if time.monotonic() > deadline:
            raise SandboxError(f"the registry at {host}:{port} does not answer; see {service.log}")
        time.sleep(0.1)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
