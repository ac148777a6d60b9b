"""The few calls of the Kubernetes API that the test engine makes."""

import base64
import contextlib
import json
import ssl
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_CALL_TIMEOUT_S = 30
_CLUSTER_SCOPED = {"Namespace", "Node", "ClusterRole", "ClusterRoleBinding"}


class ApiError(Exception):
    """The API server has refused a call.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(Exception):
    """There is no API server."""


def object_path(manifest: Mapping[str, Any]) -> str:
    """Return the path of an object in the API."""
    version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    plural = f"{kind[:-1].lower()}ies" if kind.endswith("y") else f"{kind.lower()}s"
    place = "" if kind in _CLUSTER_SCOPED else f"/namespaces/{metadata.get('namespace', 'default')}"
    return f"{root}{place}/{plural}/{metadata['name']}"


class Api:
    """A cluster as a kubeconfig describes it; certificates and tokens only.

    Args:
        kubeconfig: Its contents.
    """

    def __init__(self, kubeconfig: str) -> None:
        config = yaml.safe_load(kubeconfig)
        contexts = {one["name"]: one["context"] for one in config["contexts"]}
        chosen = contexts[config["current-context"]]
        cluster = {one["name"]: one["cluster"] for one in config["clusters"]}[chosen["cluster"]]
        user = {one["name"]: one["user"] for one in config["users"]}[chosen["user"]]
        self._server = cluster["server"].rstrip("/")
        self._headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        # The user's proxy must not stand between this machine and a cluster in its own network.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self._server.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=_tls(cluster, user)))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str) -> dict[str, Any] | None:
        """Return an object, or None if it is not there."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def get_or(self, path: str, default: dict[str, Any]) -> dict[str, Any]:
        """Return an object, or the default if it cannot be had."""
        try:
            return self.get(path) or default
        except (ApiError, UnreachableError):
            return default

    def list(self, path: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the objects below a path that have all the labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        items = self.call("GET", f"{path}?{urllib.parse.urlencode({'labelSelector': selector})}")["items"]
        assert isinstance(items, list)
        return items

    def create(self, manifest: Mapping[str, Any], manager: str, *, dry_run: bool = False) -> dict[str, Any]:
        """Create an object that is not there yet."""
        query = {"fieldManager": manager, **_dry(dry_run)}
        path = object_path(manifest).rpartition("/")[0]
        return self.call("POST", f"{path}?{urllib.parse.urlencode(query)}", manifest)

    def apply(
        self, manifest: Mapping[str, Any], manager: str, *, dry_run: bool = False, force: bool = False
    ) -> dict[str, Any]:
        """Create or change an object by server-side apply."""
        query = {"fieldManager": manager, "force": str(force).lower(), **_dry(dry_run)}
        path = f"{object_path(manifest)}?{urllib.parse.urlencode(query)}"
        return self.call("PATCH", path, manifest, "application/apply-patch+yaml")

    def replace_managers(self, path: str, version: str, managers: Sequence[object]) -> None:
        """Say anew who manages which fields of an object, if it is still the one of that version."""
        new = {"managedFields": managers, "resourceVersion": version}
        patch = [{"op": "replace", "path": f"/metadata/{key}", "value": item} for key, item in new.items()]
        self.call("PATCH", path, patch, "application/json-patch+json")

    def delete(self, path: str) -> bool:
        """Have an object deleted after all that it owns; say whether there was one."""
        try:
            self.call("DELETE", path, {"propagationPolicy": "Foreground"})
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def call(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Make one call and return the answer.

        Raises:
            ApiError: If the answer is no.
            UnreachableError: If there is none.
        """
        request = urllib.request.Request(
            self._server + path,
            None if body is None else json.dumps(body).encode(),
            {**self._headers, "Content-Type": content_type},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=_CALL_TIMEOUT_S) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise ApiError(_message(error), error.code) from error
        except (OSError, ValueError) as error:
            raise UnreachableError(
                "unable to load schema information from the API server: "
                f'Get "{self._server}/openapi/v2?timeout=32s": {getattr(error, "reason", error)}'
            ) from error
        assert isinstance(answer, dict)
        return answer


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _tls(cluster: Mapping[str, str], user: Mapping[str, str]) -> ssl.SSLContext:
    authority = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(cadata=base64.b64decode(authority).decode() if authority else None)
    if "client-certificate-data" in user:
        # The module loads a key from a file only.
        with tempfile.NamedTemporaryFile("wb") as file:
            Path(file.name).chmod(0o600)
            for part in ("client-certificate-data", "client-key-data"):
                file.write(base64.b64decode(user[part]) + b"\n")
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _message(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["message"]
    return " ".join(text.split()) or str(error)
