"""An archive that goes into a registry without Docker, and what a client finds there."""

import hashlib
import json
import shutil
import urllib.request
from pathlib import Path

import pytest

from infra.image.archive.layer import write_layer
from infra.image.archive.oci import describe, write_archive
from infra.image.target import TARGETS
from sandbox.images.push import push
from sandbox.images.registry import pushed
from sandbox.machine.process import SandboxError

pytestmark = pytest.mark.skipif(not shutil.which("docker-registry"), reason="docker-registry is not on PATH")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("content")
    layer = write_layer("a file", tmp_path / "tree", tmp_path / "layer", lambda _: (0, 0))
    write_archive(describe([layer], TARGETS["arm64"], {}), "localhost/any:1", tmp_path / "image.tar")
    return tmp_path / "image.tar"


def test_a_tag_leads_to_the_manifest_itself_and_that_to_every_blob(archive: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    with pushed(store) as address:
        push(archive, address, "any/image", "1")
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        url = f"http://{address}/v2/any/image"
        with urllib.request.urlopen(urllib.request.Request(f"{url}/manifests/1", headers=accept)) as answer:
            manifest = json.load(answer)
        for part in (manifest["config"], *manifest["layers"]):
            with urllib.request.urlopen(f"{url}/blobs/{part['digest']}") as answer:
                assert f"sha256:{hashlib.sha256(answer.read()).hexdigest()}" == part["digest"]


def test_bytes_that_are_not_those_of_their_digest_are_refused(archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    # A letter of the description, which is stored as it is.
    archive.write_bytes(content.replace(b"piray: a file", b"piray: 2 file"))
    store = tmp_path / "store"
    store.mkdir()
    with pushed(store) as address, pytest.raises(SandboxError, match="the registry refuses PUT .*: 400"):
        push(archive, address, "any/image", "1")
