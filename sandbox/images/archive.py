"""A container image of one static program, as an archive that `ctr images import` and `docker load` read."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

# Higher levels take twice the time and save a few percent.
_GZIP_LEVEL = 6


def write_image_archive(archive: Path, name: str, program: Path, architecture: str) -> None:
    """Write the image with the program as its only file and its entry point.

    The form is docker's: https://github.com/moby/docker-image-spec/blob/main/v1.2.md

    Args:
        archive: File to write.
        name: Name with tag, e.g. "localhost/k3s-stand-in/pause:1".
        program: A static program; it is named /program in the image.
        architecture: "amd64" or "arm64".
    """
    layer = _tar({"program": program.read_bytes()}, mode=0o755)
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/program"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    )
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = _json([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar.gz"]}])
    packed = gzip.compress(layer, _GZIP_LEVEL, mtime=0)
    archive.write_bytes(
        _tar({config_name: config, "layer.tar.gz": packed, "manifest.json": manifest}, mode=0o644)
    )


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    """Return a tar of the files, the same for the same contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
