"""The definitions of KubeRay's custom resources, from wherever this machine has them, as strict schemas."""

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.kuberay.definitions import cache_folder
from infra.versions import KUBERAY, KUBERAY_CRD_SHA256

_MODULE = f"github.com/ray-project/kuberay/ray-operator@{KUBERAY}"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def crd_file(name: str) -> Path:
    """Return the file of a definition; the test is skipped where this machine has none."""
    go = Path(os.environ.get("GOMODCACHE") or Path.home() / "go/pkg/mod")
    kept = cache_folder(os.environ) / f"{KUBERAY_CRD_SHA256[name]}.yaml"
    for file in (go / _MODULE / "config/crd/bases" / name, kept):
        if file.is_file():
            assert hashlib.sha256(file.read_bytes()).hexdigest() == KUBERAY_CRD_SHA256[name], file
            return file
    pytest.skip(f"this machine has no {name} of KubeRay {KUBERAY}: `go mod download {_MODULE}` gets it")


@cache
def schema(kind: str) -> dict[str, Any]:
    """Return the schema of a kind; what it does not name is refused, as the API server would drop it."""
    definition = yaml.load(crd_file(f"ray.io_{kind.lower()}s.yaml").read_text(), Loader=_LOADER)
    (version,) = [one for one in definition["spec"]["versions"] if one["name"] == "v1"]
    strict = _strict(version["schema"]["openAPIV3Schema"])
    assert isinstance(strict, dict)
    # Kubernetes checks metadata itself.
    strict["properties"]["metadata"] = {"type": "object"}
    return strict


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    result = {key: _strict(value) for key, value in node.items()}
    if isinstance(result.get("properties"), dict) and "additionalProperties" not in result:
        result["additionalProperties"] = bool(result.get("x-kubernetes-preserve-unknown-fields"))
    return result
