"""The registry that the simulated Pis pull from: who may write to it, and whom they have to trust."""

import hashlib
import json
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import versions
from sandbox.images import registry
from sandbox.images.registry import IMAGE, Registry, pushed
from sandbox.machine.docker import GATEWAY
from sandbox.machine.process import SandboxError

pytestmark = pytest.mark.skipif(
    not (shutil.which("docker-registry") and shutil.which("openssl")),
    reason="docker-registry or openssl is not on PATH",
)

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let registries serve a free port of the loopback interface instead of the hosts' network."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    monkeypatch.setattr(registry, "GATEWAY", "127.0.0.1")
    monkeypatch.setattr(registry, "PORT", number)
    return number


@pytest.fixture
def served(port: int, tmp_path: Path) -> Iterator[Registry]:
    site = Registry(tmp_path)
    try:
        site.start(tmp_path)
        yield site
    finally:
        site.stop()


def status(url: str, method: str = "GET", authority: Path | None = None) -> int:
    """Return the status of the answer to a request."""
    context = ssl.create_default_context(cafile=authority) if url.startswith("https:") else None
    try:
        request = urllib.request.Request(url, headers={"Accept": MANIFEST}, method=method)
        with urllib.request.urlopen(request, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def put_image(address: str, name: str) -> None:
    """Put an image without layers into a registry, as a Docker client does."""
    config = b"{}"
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    request = urllib.request.Request(f"http://{address}/v2/{name}/blobs/uploads/", method="POST")
    with urllib.request.urlopen(request) as answer:
        place = answer.headers["Location"]
    octets = {"Content-Type": "application/octet-stream"}
    blob = urllib.request.Request(f"{place}&digest={digest}", config, octets, method="PUT")
    urllib.request.urlopen(blob).close()
    part = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": digest}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": part, "layers": []}
    url = f"http://{address}/v2/{name}/manifests/1"
    body = json.dumps(manifest).encode()
    urllib.request.urlopen(
        urllib.request.Request(url, body, {"Content-Type": MANIFEST}, method="PUT")
    ).close()


def is_closed(port: int) -> bool:
    """Say whether a port of the loopback interface is closed within some seconds.

    The first thread of a Go program may have ended a moment before those that hold its sockets.
    """
    for _ in range(50):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionError:
            return True
        time.sleep(0.1)
    return False


def test_the_image_is_named_by_the_program_s_default_version_of_ray() -> None:
    assert f"{GATEWAY}:8001/piray/ray:{versions.RAY}-1" == IMAGE


def test_a_store_is_filled_through_the_loopback_interface(tmp_path: Path) -> None:
    with pushed(tmp_path) as address:
        assert address.startswith("127.0.0.1:")
        assert status(f"http://{address}/v2/") == 200
        assert status(f"http://{address}/v2/piray/ray/blobs/uploads/", "POST") == 202
    assert is_closed(int(address.rpartition(":")[2]))


def test_whoever_trusts_the_sandbox_s_authority_reaches_the_registry_by_its_ip_address(
    served: Registry, port: int
) -> None:
    assert status(f"https://127.0.0.1:{port}/v2/", authority=served.authority) == 200


def test_images_of_a_store_that_is_added_are_served_beside_those_of_the_first(
    port: int, tmp_path: Path
) -> None:
    stores = {name: tmp_path / name for name in ("first", "second")}
    for name, store in stores.items():
        store.mkdir()
        with pushed(store) as address:
            put_image(address, f"images/{name}")
    site = Registry(tmp_path)
    url = f"https://127.0.0.1:{port}/v2/images"
    try:
        site.start(stores["first"])
        assert status(f"{url}/second/manifests/1", authority=site.authority) == 404
        site.add(stores["second"])
        for name in stores:
            assert status(f"{url}/{name}/manifests/1", authority=site.authority) == 200
    finally:
        site.stop()


def test_whoever_does_not_trust_it_is_kept_away(served: Registry, port: int) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        status(f"https://127.0.0.1:{port}/v2/")


def test_nobody_on_the_hosts_network_can_write_to_the_store(served: Registry, port: int) -> None:
    url = f"https://127.0.0.1:{port}/v2/piray/ray/blobs/uploads/"
    assert status(url, "POST", served.authority) == 405


def test_a_second_start_keeps_the_process_and_the_authority(served: Registry, tmp_path: Path) -> None:
    before = (served.authority.read_bytes(), (tmp_path / "registry.pid").read_text())
    served.start(tmp_path)
    assert (served.authority.read_bytes(), (tmp_path / "registry.pid").read_text()) == before


def test_keys_are_for_root_only(served: Registry, tmp_path: Path) -> None:
    assert (tmp_path / "registry").stat().st_mode & 0o077 == 0


def test_after_a_stop_nothing_serves_the_port(served: Registry, port: int) -> None:
    served.stop()
    assert is_closed(port)


def test_a_port_that_another_program_serves_is_refused_with_the_remedy(port: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(SandboxError, match="end that one"):
        Registry(tmp_path).start(tmp_path)
    assert not (tmp_path / "registry.pid").exists()


def test_a_registry_that_ends_at_once_is_reported_with_what_it_said(port: int, tmp_path: Path) -> None:
    with socket.socket() as somebody:
        # Bound, but not listening: connections are refused, and so is the registry.
        somebody.bind(("127.0.0.1", port))
        with pytest.raises(SandboxError, match=r"registry has ended:[^$]*address already in use"):
            Registry(tmp_path).start(tmp_path)
