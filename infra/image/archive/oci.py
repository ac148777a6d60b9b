"""An image as one file: the OCI's layout in a tar, which `docker load`, `ctr images import` and k3s read.

https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md; Docker before version 25 reads
manifest.json beside it, as `docker save` writes it.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.image.archive.layer import MTIME, Layer
from infra.image.target import Target

_CREATED = "2020-01-01T00:00:00Z"
_MEDIA = "application/vnd.oci.image"


@dataclass(frozen=True)
class Image:
    """An image without its layers' contents.

    Attributes:
        layers: From the lowest to the highest.
        config: What `Image.manifest` refers to, as JSON.
        manifest: As JSON.
        platform: What an index says of it.
    """

    layers: tuple[Layer, ...]
    config: bytes
    manifest: bytes
    platform: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest in hex: it stands for all that the image is."""
        return hashlib.sha256(self.manifest).hexdigest()


def describe(layers: Sequence[Layer], target: Target, run: Mapping[str, Any]) -> Image:
    """Describe an image.

    Args:
        layers: From the lowest to the highest.
        target: Its processor.
        run: How it is run: the OCI configuration's `config`.
    """
    platform = {"architecture": target.arch, "os": "linux"}
    if target.variant:
        platform["variant"] = target.variant
    config = _json(
        {
            **platform,
            "created": _CREATED,
            "config": dict(run),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
            "history": [{"created": _CREATED, "created_by": f"piray: {layer.what}"} for layer in layers],
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": _descriptor(f"{_MEDIA}.config.v1+json", hashlib.sha256(config).hexdigest(), len(config)),
        "layers": [_descriptor(f"{_MEDIA}.layer.v1.tar+zstd", layer.digest, layer.size) for layer in layers],
    }
    return Image(tuple(layers), config, _json(manifest), platform)


def write_archive(image: Image, name: str, file: Path) -> None:
    """Write an image to a file.

    Args:
        image: Its description; the files of its layers are read.
        name: Reference with a tag.
        file: Where it goes.
    """
    config = hashlib.sha256(image.config).hexdigest()
    described = _descriptor(f"{_MEDIA}.manifest.v1+json", image.digest, len(image.manifest))
    names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    index = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.index.v1+json",
        "manifests": [{**described, "platform": dict(image.platform), "annotations": names}],
    }
    saved = {
        "Config": _blob(config),
        "RepoTags": [name],
        "Layers": [_blob(layer.digest) for layer in image.layers],
    }
    small = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json(index),
        "manifest.json": _json([saved]),
        _blob(config): image.config,
        _blob(image.digest): image.manifest,
    }
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in small.items():
            tar.addfile(_entry(path, len(content)), io.BytesIO(content))
        for layer in {layer.digest: layer for layer in image.layers}.values():
            with layer.file.open("rb") as content_file:
                tar.addfile(_entry(_blob(layer.digest), layer.size), content_file)


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest}"


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = size, MTIME
    return entry


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
