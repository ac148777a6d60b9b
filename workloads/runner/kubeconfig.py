"""Decides what a kubeconfig must hold and keeps its keys private; talks to nobody.

A kubeconfig may have been edited by a person or merged by a program: only what its current context leads to
is looked at, and every mistake there is named.
"""

import base64
import binascii
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

REMEDY = "run `make up` for the stack, then read its outputs again"
_CLUSTER_FILES = ("certificate-authority",)
_USER_FILES = ("client-certificate", "client-key")
# What pulumi prints in the place of a secret without --show-secrets.
REDACTED = "[secret]"
# https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
_UNSUPPORTED = ("username", "password", "auth-provider", "tokenFile")


class KubernetesError(Exception):
    """Kubernetes cannot be reached or lacks what was asked for; says what to do."""


@dataclass(frozen=True)
class Kubeconfig:
    """A kubeconfig in files that only this user can read.

    Attributes:
        path: The kubeconfig, with its current context alone; its keys are in files beside it.
        server: URL of the API server, for messages.
    """

    path: Path
    server: str


@contextmanager
def private_kubeconfig(text: str) -> Iterator[Kubeconfig]:
    """Write a kubeconfig's text to files, and remove every trace afterwards.

    kr8s writes the keys that a kubeconfig holds to temporary files and leaves them there. Given their paths
    it does not, so the keys are written here: 0600, in a folder of our own that goes away with the run.

    Raises:
        KubernetesError: If the text cannot be used as a kubeconfig; every mistake, one line each.
    """
    cluster, user = read(text)
    folder = Path(tempfile.mkdtemp(prefix="piray-"))
    try:
        for entry, names in ((cluster, _CLUSTER_FILES), (user, _USER_FILES)):
            for name in names:
                _key_to_file(entry, folder, name)
        path = folder / "kubeconfig"
        _write_private(path, yaml.safe_dump(_one_context(cluster, user)).encode())
        yield Kubeconfig(path, cluster["server"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the cluster and the user of a kubeconfig's current context.

    Raises:
        KubernetesError: Every mistake, one line each; no value that may be secret is repeated.
    """
    if text.strip() == REDACTED:
        raise KubernetesError(
            "the output kubeconfig was written without its secrets: add --show-secrets to "
            "`pulumi stack output --json`."
        )
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        config = None
    if not isinstance(config, Mapping) or not config:
        raise KubernetesError(f"the output kubeconfig does not hold a kubeconfig: {REMEDY}.")
    context = _context(config)
    mistakes: list[str] = []
    found = []
    for kind, check in (("cluster", _check_cluster), ("user", _check_user)):
        name = context.get(kind)
        try:
            entry = _entry(config, kind, name)
        except KubernetesError as error:
            mistakes.append(str(error))
            continue
        mistakes += [f"{kind} {name!r} of the output kubeconfig {one}: {REMEDY}." for one in check(entry)]
        found.append(entry)
    if mistakes:
        raise KubernetesError("\n".join(mistakes))
    return found[0], found[1]


def _context(config: Mapping[str, Any]) -> dict[str, Any]:
    current = config.get("current-context")
    names = ", ".join(str(one["name"]) for one in _entries(config, "context") if "name" in one)
    if not current:
        choice = f"set it to one of {names}, or {REMEDY}" if names else REMEDY
        raise KubernetesError(
            f"the output kubeconfig does not hold a kubeconfig with a current-context: {choice}."
        )
    if not isinstance(current, str):
        raise KubernetesError(
            f"current-context of the output kubeconfig must be text, not {current!r}: {REMEDY}."
        )
    return _entry(config, "context", current, names)


def _entry(config: Mapping[str, Any], kind: str, name: object, others: str = "") -> dict[str, Any]:
    """Return what a list of the kubeconfig holds under a name.

    Raises:
        KubernetesError: If there is no such entry, or nothing in it.
    """
    if not isinstance(name, str) or not name:
        raise KubernetesError(f"the current context of the output kubeconfig names no {kind}: {REMEDY}.")
    for entry in _entries(config, kind):
        if entry.get("name") == name:
            inner = entry.get(kind)
            if isinstance(inner, Mapping) and inner:
                return dict(inner)
            what = "holds nothing" if not inner else "is not a map"
            raise KubernetesError(f"{kind} {name!r} of the output kubeconfig {what}: {REMEDY}.")
    known = f" (it has {others})" if others else ""
    raise KubernetesError(f"the output kubeconfig has no {kind} {name!r}{known}: {REMEDY}.")


def _entries(config: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    entries = config.get(f"{kind}s")
    return [one for one in entries if isinstance(one, Mapping)] if isinstance(entries, list) else []


def _check_cluster(cluster: Mapping[str, Any]) -> Iterator[str]:
    server = cluster.get("server")
    if not isinstance(server, str) or not _is_url(server):
        yield f"has the server {server!r}, which must be an address as https://192.0.2.1:6443"
    yield from _check_files(cluster, _CLUSTER_FILES)


def _check_user(user: Mapping[str, Any]) -> Iterator[str]:
    unsupported = [name for name in _UNSUPPORTED if name in user]
    if unsupported:
        needed = "token, exec, or client-certificate and client-key"
        yield f"has {', '.join(unsupported)}, but piray needs {needed}"
        return
    token = user.get("token")
    if token == REDACTED:
        yield "has a token that was left out as a secret"
    elif token is not None and not (isinstance(token, str) and token.isascii() and token.isprintable()):
        yield "has a token that is not one line of plain text"
    given = [name for name in _USER_FILES if user.get(name) or user.get(f"{name}-data")]
    if len(given) == 1:
        yield f"has {given[0]} only, but client-certificate and client-key are needed together"
    if not given and not token and not user.get("exec"):
        yield "has no credentials (token, exec, or client-certificate and client-key)"
    yield from _check_files(user, _USER_FILES)


def _check_files(entry: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if entry.get(f"{name}-data") is not None:
            if b"-----BEGIN " not in _decoded(entry[f"{name}-data"]):
                yield f"has a {name}-data that is not a PEM file in base64"
        elif entry.get(name) is not None:
            path = entry[name]
            if not isinstance(path, str) or not os.path.isfile(path):
                yield f"has a {name} that is no file on this machine ({path!r})"


def _decoded(data: object) -> bytes:
    """Return the bytes of base64 text, broken into lines or not; none if it is not base64."""
    try:
        return base64.b64decode("".join(str(data).split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # Read for its error only: a port that is no number raises when it is asked for.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _one_context(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> dict[str, Any]:
    name = "piray"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": dict(cluster)}],
        "users": [{"name": name, "user": dict(user)}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def _key_to_file(entry: dict[str, Any], folder: Path, name: str) -> None:
    data = entry.pop(f"{name}-data", None)
    if data is not None:
        path = folder / f"{name}.pem"
        _write_private(path, _decoded(data))
        entry[name] = str(path)


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
