"""Puts an image of an OCI archive into a registry; this machine's Docker may be too old to read its layers.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push
"""

import json
import tarfile
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from sandbox.machine.process import SandboxError

_ACCEPTED = range(200, 300)


def push(archive: Path, address: str, repository: str, tag: str) -> None:
    """Push the only image of an archive.

    The tag leads to its manifest itself and not to an index: containerd pulls that for whatever processor it
    is, as a machine has to that emulates another one.

    Args:
        archive: An OCI layout in a tar.
        address: Of a registry without TLS, `host:port`.
        repository: Name of the image there.
        tag: Its tag.

    Raises:
        SandboxError: If the registry refuses it.
    """
    registry = HTTPConnection(address)
    place = f"/v2/{repository}"
    with tarfile.open(archive) as tar:
        (described,) = json.load(_open(tar, "index.json"))["manifests"]
        text = _open(tar, _blob(described["digest"])).read()
        manifest = json.loads(text)
        for part in (manifest["config"], *manifest["layers"]):
            _upload(registry, place, part, _open(tar, _blob(part["digest"])))
    _ask(registry, "PUT", f"{place}/manifests/{tag}", text, {"Content-Type": described["mediaType"]})


def _upload(registry: HTTPConnection, place: str, part: Mapping[str, Any], content: IO[bytes]) -> None:
    begun = urlsplit(_ask(registry, "POST", f"{place}/blobs/uploads/"))
    query = "&".join(filter(None, [begun.query, f"digest={part['digest']}"]))
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(part["size"])}
    _ask(registry, "PUT", f"{begun.path}?{query}", content, headers)


def _ask(
    registry: HTTPConnection,
    method: str,
    path: str,
    content: bytes | IO[bytes] = b"",
    headers: Mapping[str, str] | None = None,
) -> str:
    """Make a request and return the place that the answer names."""
    registry.request(method, path, content, dict(headers or {}))
    answer = registry.getresponse()
    said = answer.read().decode(errors="replace")
    if answer.status not in _ACCEPTED:
        raise SandboxError(f"the registry refuses {method} {path}: {answer.status} {said.strip()}")
    return answer.headers.get("Location", "")


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise SandboxError(f"{name} of the archive is no file")
    return file


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
