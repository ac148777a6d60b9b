"""The few calls of the Kubernetes API that the test engine makes, through kr8s."""

import asyncio
import contextlib
import json
import logging
import ssl
import warnings
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx
import kr8s
import kr8s.asyncio

from workloads.runner.kubeconfig import Kubeconfig, private_kubeconfig

_CALL_TIMEOUT_S = 30
_CLUSTER_SCOPED = {
    "Namespace",
    "Node",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "PersistentVolume",
}


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
    """A cluster as a kubeconfig describes it.

    Args:
        kubeconfig: Its contents.
    """

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig

    def get(self, path: str) -> dict[str, Any] | None:
        """Return an object, or None if it is not there."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
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
        items = self.call("GET", path, labelSelector=selector)["items"]
        assert isinstance(items, list)
        return items

    def create(self, manifest: Mapping[str, Any], manager: str, *, dry_run: bool = False) -> dict[str, Any]:
        """Create an object that is not there yet."""
        path = object_path(manifest).rpartition("/")[0]
        return self.call("POST", path, manifest, fieldManager=manager, **_dry(dry_run))

    def apply(
        self, manifest: Mapping[str, Any], manager: str, *, dry_run: bool = False, force: bool = False
    ) -> dict[str, Any]:
        """Create or change an object by server-side apply."""
        query = {"fieldManager": manager, "force": str(force).lower(), **_dry(dry_run)}
        return self.call("PATCH", object_path(manifest), manifest, "application/apply-patch+yaml", **query)

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
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        **query: str,
    ) -> dict[str, Any]:
        """Make one call and return the answer.

        Raises:
            ApiError: If the answer is no.
            UnreachableError: If there is none.
        """
        request: dict[str, Any] = {"params": query, "headers": {"Content-Type": content_type}}
        if body is not None:
            request["content"] = json.dumps(body)
        with private_kubeconfig(self._kubeconfig) as config:
            try:
                return asyncio.run(_call(config, method, path, request))
            except kr8s.ServerError as error:
                raise _refusal(error) from error
            except (kr8s.APITimeoutError, httpx.TransportError, ssl.SSLError, OSError, ValueError) as error:
                raise UnreachableError(
                    "unable to load schema information from the API server: "
                    f'Get "{config.server}/openapi/v2?timeout=32s": {error}'
                ) from error


async def _call(config: Kubeconfig, method: str, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # kr8s warns about every Kubernetes that is newer than itself.
    warnings.filterwarnings("ignore", module="kr8s", category=UserWarning)
    _, root, rest = path.split("/", 2)
    async with asyncio.timeout(_CALL_TIMEOUT_S):
        api = await kr8s.asyncio.api(kubeconfig=str(config.path))
        async with api.call_api(method, version="", base=f"/{root}", url=rest, **request) as response:
            answer = response.json()
    assert isinstance(answer, dict)
    return answer


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _refusal(error: kr8s.ServerError) -> ApiError:
    assert error.response is not None
    text = error.response.text
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["message"]
    return ApiError(" ".join(text.split()) or str(error), error.response.status_code)
