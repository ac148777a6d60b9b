"""Kubernetes' API as a kubeconfig describes it, for the few calls that Pulumi does not make.

The standard library's HTTP client, which no proxy of the environment comes between.
"""

import base64
import http.client
import json
import ssl
import tempfile
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

_MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_CLUSTER_SCOPED = ("Namespace",)


class ApiError(Exception):
    """The API server cannot be asked, or has refused; the text says what it said.

    Attributes:
        status: HTTP status; 0 where there was no answer.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class ApiServer:
    """The API server of one cluster.

    Args:
        kubeconfig: Contents of a kubeconfig; its first cluster and user count. Secret.
        timeout_s: How long one call may take.

    Raises:
        ApiError: If that is no kubeconfig with a client's certificate.
    """

    def __init__(self, kubeconfig: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        try:
            config = yaml.safe_load(kubeconfig)
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
            self._context = _tls(cluster, user)
            address = urlsplit(cluster["server"])
            self.server = str(cluster["server"])
            self._host, self._port = str(address.hostname), address.port or 443
        except (yaml.YAMLError, KeyError, IndexError, TypeError, ValueError, OSError) as error:
            raise ApiError(f"the kubeconfig of the stack cannot be used ({error})") from error
        self._connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> dict[str, Any] | None:
        """Return an object, or None if it is not there."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Return the objects below a path; none if the cluster does not know their kind.

        Args:
            path: Path of the collection.
            query: For example labelSelector.
        """
        found = self.get(f"{path}?{urlencode(query)}" if query else path)
        return list(found["items"]) if found else []

    def text(self, path: str) -> str:
        """Return what is no object, such as the log of a pod."""
        status, reason, content = self._exchange("GET", path, None, "")
        if status >= HTTPStatus.BAD_REQUEST:
            raise ApiError(reason, status)
        return content.decode(errors="replace")

    def change(self, path: str, fields: Mapping[str, Any]) -> bool:
        """Set fields of an object; say whether it was still there."""
        try:
            self.call("PATCH", path, json.dumps(fields), _MERGE_PATCH)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def delete(self, path: str) -> bool:
        """Have an object deleted after all that it owns; say whether there was one."""
        try:
            self.call("DELETE", path, json.dumps({"propagationPolicy": "Foreground"}))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def call(
        self, method: str, path: str, body: str | None = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Make one call and return the answer.

        Raises:
            ApiError: If there is none, or it is no.
        """
        status, reason, text = self._exchange(method, path, body, content_type)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {}
        if status >= HTTPStatus.BAD_REQUEST or not isinstance(answer, dict):
            said = answer.get("message") if isinstance(answer, dict) else None
            raise ApiError(str(said or reason), status)
        return answer

    def _exchange(
        self, method: str, path: str, body: str | None, content_type: str
    ) -> tuple[int, str, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=self._context
            )
        headers = {"Content-Type": content_type} if body is not None else {}
        try:
            self._connection.request(method, path, body.encode() if body is not None else None, headers)
            response = self._connection.getresponse()
            return response.status, response.reason, response.read()
        except (OSError, http.client.HTTPException) as error:
            # The next call has a connection of its own.
            self._connection.close()
            self._connection = None
            raise ApiError(f"{self.server} does not answer ({error})") from error


def object_path(declared: Mapping[str, Any]) -> str:
    """Return the path of an object in the API.

    Args:
        declared: Its apiVersion, kind, and name and namespace in `metadata`.
    """
    version, kind, metadata = declared["apiVersion"], declared["kind"], declared["metadata"]
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    plural = f"{kind[:-1].lower()}ies" if kind.endswith("y") else f"{kind.lower()}s"
    place = "" if kind in _CLUSTER_SCOPED else f"/namespaces/{metadata['namespace']}"
    return f"{root}{place}/{plural}/{metadata['name']}"


def _tls(cluster: Mapping[str, str], user: Mapping[str, str]) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.TemporaryDirectory(prefix="piray-") as folder:
        # Readable by its owner only; the library takes a client's certificate from nothing but a file.
        pair = Path(folder) / "client.pem"
        parts = [user["client-certificate-data"], user["client-key-data"]]
        pair.write_bytes(b"\n".join(base64.b64decode(part) for part in parts))
        context.load_cert_chain(pair)
    return context
