"""Container images of one static program each, in an archive for `ctr images import` and `docker load`."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Higher levels take twice the time and save a few percent.
_GZIP_LEVEL = 6


def write_image_archive(archive: Path, programs: Mapping[str, Path], architecture: str) -> None:
    """Write images, each with a program as its only file and its entry point; packed if the name ends in .gz.

    The form is docker's: https://github.com/moby/docker-image-spec/blob/main/v1.2.md

    Args:
        archive: File to write.
        programs: By name of the image with its tag, e.g. "localhost/k3s-stand-in/pause:1", a static program;
            it is named /program in the image.
        architecture: "amd64" or "arm64".
    """
    files: dict[str, bytes] = {}
    manifest = []
    for name, program in programs.items():
        layer = _tar({"program": program.read_bytes()}, mode=0o755)
        digest = hashlib.sha256(layer).hexdigest()
        config = _json(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {"Entrypoint": ["/program"]},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            }
        )
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        files |= {config_name: config, f"{digest}/layer.tar": layer}
        manifest.append({"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]})
    tar = _tar({**files, "manifest.json": _json(manifest)}, mode=0o644)
    archive.write_bytes(gzip.compress(tar, _GZIP_LEVEL, mtime=0) if archive.suffix == ".gz" else tar)


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
