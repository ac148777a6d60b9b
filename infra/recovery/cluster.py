"""A look at a stack's objects on its cluster, within seconds or not at all.

The standard library's HTTP client, which no proxy of the environment comes between.
"""

import base64
import http.client
import json
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from infra.recovery.drift import changed_fields

_TIMEOUT_S = 3
_CLUSTER_SCOPED = ("Namespace",)


def changes_by_others(kubeconfig: str, objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what others have changed or removed, a line for each object; nothing if nobody can be asked.

    Args:
        kubeconfig: How to reach the cluster; its first cluster and user count.
        objects: What the stack declares.
    """
    said = []
    try:
        connection = _connect(yaml.safe_load(kubeconfig))
        for declared in objects:
            name = f"{declared['kind']} {declared['metadata']['name']}"
            live = _get(connection, _path(declared))
            if live is None:
                said.append(f"{name} was removed by others")
            elif fields := changed_fields(declared, live):
                said.append(f"{name} was changed by others: {', '.join(fields)}")
    except (OSError, ValueError, KeyError, TypeError, IndexError, http.client.HTTPException, yaml.YAMLError):
        # Whatever is wrong with the cluster, Pulumi says it where it needs the cluster.
        return said
    return said


def _connect(kubeconfig: Any) -> http.client.HTTPSConnection:
    cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.TemporaryDirectory(prefix="piray-") as folder:
        # Readable by its owner only; the library takes a client's certificate from nothing but a file.
        pair = Path(folder) / "client.pem"
        parts = [user["client-certificate-data"], user["client-key-data"]]
        pair.write_bytes(b"\n".join(base64.b64decode(part) for part in parts))
        context.load_cert_chain(pair)
    address = urlsplit(cluster["server"])
    return http.client.HTTPSConnection(
        str(address.hostname), address.port or 443, timeout=_TIMEOUT_S, context=context
    )


def _get(connection: http.client.HTTPSConnection, path: str) -> dict[str, Any] | None:
    connection.request("GET", path)
    response = connection.getresponse()
    text = response.read()
    if response.status == HTTPStatus.NOT_FOUND:
        return None
    if response.status != HTTPStatus.OK:
        raise ValueError(response.reason)
    live = json.loads(text)
    assert isinstance(live, dict)
    return live


def _path(declared: Mapping[str, Any]) -> str:
    version, kind, metadata = declared["apiVersion"], declared["kind"], declared["metadata"]
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    plural = f"{kind[:-1].lower()}ies" if kind.endswith("y") else f"{kind.lower()}s"
    place = "" if kind in _CLUSTER_SCOPED else f"/namespaces/{metadata['namespace']}"
    return f"{root}{place}/{plural}/{metadata['name']}"
