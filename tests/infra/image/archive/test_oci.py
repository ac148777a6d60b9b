import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from infra.image.archive.layer import write_layer
from infra.image.archive.oci import Image, describe, write_archive
from infra.image.target import TARGETS
from infra.mirror.image import wrong_image

NAME = "piray.internal/ray:1"


@pytest.fixture
def image(tmp_path: Path) -> Image:
    layers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        layers.append(write_layer(name, tmp_path / name, tmp_path / f"{name}.layer", lambda path: (0, 0)))
    return describe(layers, TARGETS["arm64"], {"User": "1000:100"})


def read(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


def test_every_blob_has_the_digest_that_names_it(tmp_path: Path, image: Image) -> None:
    write_archive(image, NAME, tmp_path / "archive")
    blobs = {name: content for name, content in read(tmp_path / "archive").items() if "sha256/" in name}
    assert len(blobs) == 4
    for name, content in blobs.items():
        assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"


def test_index_manifest_and_configuration_lead_to_the_layers(tmp_path: Path, image: Image) -> None:
    write_archive(image, NAME, tmp_path / "archive")
    files = read(tmp_path / "archive")

    def follow(described: dict[str, Any]) -> Any:
        content = files["blobs/" + described["digest"].replace(":", "/")]
        assert described["size"] == len(content)
        return json.loads(content)

    (found,) = json.loads(files["index.json"])["manifests"]
    assert found["annotations"]["io.containerd.image.name"] == NAME
    assert found["platform"] == {"architecture": "arm64", "os": "linux", "variant": "v8"}
    manifest = follow(found)
    config = follow(manifest["config"])
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        "application/vnd.oci.image.layer.v1.tar+zstd"
    ] * 2
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer.diff_id}" for layer in image.layers]
    assert (config["architecture"], config["config"]) == ("arm64", {"User": "1000:100"})
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


def test_the_mirror_takes_it_for_what_docker_saves(tmp_path: Path, image: Image) -> None:
    write_archive(image, NAME, tmp_path / "archive")
    assert wrong_image(tmp_path / "archive", NAME, "arm64") == ""
    assert "not for amd64" in wrong_image(tmp_path / "archive", NAME, "amd64")
