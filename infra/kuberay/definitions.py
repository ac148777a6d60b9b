"""The definitions of KubeRay's custom resources: downloaded, checked, kept, and made on a cluster.

They are a megabyte of text that never changes within a release. A stack notes their version and sums, not
their contents: a preview needs neither them nor the network, and the state stays small.
"""

import hashlib
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from infra.api_server import APPLY_PATCH, ApiError, ApiServer
from infra.objects.metadata import FIELD_MANAGER
from infra.versions import KUBERAY

RELEASE_URL = "https://raw.githubusercontent.com/ray-project/kuberay/{version}/ray-operator/config/crd/bases"
# Of a mirror; beside the releases of k3s.
MIRROR_FOLDER = "kuberay"

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_STALLED_S = 30
_ESTABLISHED_S = 60.0
_POLL_S = 0.5


class DefinitionsError(Exception):
    """A definition cannot be had, or is another one; the text names the address, the rule and the remedy."""


def definitions_url(mirror: str | None) -> str:
    """Return the directory that has the definitions.

    Args:
        mirror: The stack's mirror; None for the release.
    """
    if mirror:
        return f"{mirror}/{MIRROR_FOLDER}/{KUBERAY}"
    return RELEASE_URL.format(version=KUBERAY)


def resource_name(file: str) -> str:
    """Return the name of a definition by that of its file.

    >>> resource_name("ray.io_rayclusters.yaml")
    'rayclusters.ray.io'
    """
    group, _, plural = file.removesuffix(".yaml").partition("_")
    return f"{plural}.{group}"


def cache_folder(env: Mapping[str, str]) -> Path:
    """Return where definitions are kept: in the user's cache directory."""
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "piray" / "kuberay"


def definition(url: str, sha256: str, folder: Path) -> str:
    """Return the text of a definition, from the cache if it is there.

    Args:
        url: Where it is downloaded from.
        sha256: Sum that it must have, in hex.
        folder: The cache.

    Raises:
        DefinitionsError: If it cannot be had, or has another sum.
    """
    kept = folder / f"{sha256}.yaml"
    if kept.is_file():
        content = kept.read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            return content.decode()
    content = _download(url)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DefinitionsError(
            f"{url} has the SHA-256 {found}; piray expects {sha256}; what is there is not KubeRay "
            f"{KUBERAY}: mend the mirror (piray mirror DIR), or look whether a proxy answers in its place. "
            "Nothing was changed"
        )
    _keep(kept, content)
    return content.decode()


def apply_definitions(server: ApiServer, texts: Mapping[str, str]) -> None:
    """Make or change definitions, and wait until the cluster knows the resources.

    Args:
        server: The cluster.
        texts: The definitions by the names of their files.

    Raises:
        ApiError: If the cluster refuses.
    """
    query = urlencode({"fieldManager": FIELD_MANAGER, "force": "true"})
    for file, text in texts.items():
        server.call("PATCH", f"{_PATH}/{resource_name(file)}?{query}", text, APPLY_PATCH)
    _wait(lambda: all(_is_established(server, file) for file in texts), "the cluster does not take them up")


def remove_definitions(server: ApiServer, files: Mapping[str, str]) -> None:
    """Remove definitions of which no resource is left.

    Args:
        server: The cluster.
        files: Names of their files.
    """
    paths = [f"{_PATH}/{resource_name(file)}" for file in files]
    for path in paths:
        server.delete(path)
    _wait(lambda: not any(server.get(path) for path in paths), "the definitions do not go")


def _is_established(server: ApiServer, file: str) -> bool:
    live = server.get(f"{_PATH}/{resource_name(file)}") or {}
    found = (live.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in found)


def _wait(done: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + _ESTABLISHED_S
    while not done():
        if time.monotonic() > deadline:
            raise ApiError(f"{problem} within {_ESTABLISHED_S:.0f} s; run it again")
        time.sleep(_POLL_S)


def _download(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_STALLED_S) as answer:  # noqa: S310 — http(s), see the rules
            content: bytes = answer.read()
            return content
    except (OSError, ValueError) as error:
        missing = isinstance(error, urllib.error.HTTPError) and error.code == HTTPStatus.NOT_FOUND
        reason = getattr(error, "reason", None) or error
        remedy = (
            "put it there (piray mirror DIR does so)"
            if missing
            else "make that address reachable from this machine, or give the stack a k3s.mirror that has it"
        )
        raise DefinitionsError(
            f"{url} cannot be downloaded ({reason}); KubeRay's resources need it once on this machine: "
            f"{remedy}, then run make up again"
        ) from error


def _keep(path: Path, content: bytes) -> None:
    """Keep a file for the next time; whole, or not at all. A cache that cannot be written is none."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        return
