"""A double of the API server: objects by their paths, and what is done to them at each look."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from infra.api_server import ApiError

OPERATOR = "/apis/apps/v1/namespaces/kuberay-system/deployments/kuberay-operator"


class ClusterDouble:
    """Objects by their paths. Deleting one takes time as Kubernetes does: while it has finalizers, it stays.

    Args:
        objects: By path.
        tick: What happens in the cluster before each call.
    """

    def __init__(
        self, objects: dict[str, dict[str, Any]], tick: Callable[["ClusterDouble"], None] = lambda _: None
    ) -> None:
        self.objects = objects
        self.tick = tick
        self.texts: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []

    def get(self, path: str) -> dict[str, Any] | None:
        self._note("GET", path)
        return self.objects.get(path)

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        self._note("LIST", f"{path}?{asked}" if asked else path)
        return [deepcopy(one) for key, one in self.objects.items() if key.rpartition("/")[0] == path]

    def text(self, path: str) -> str:
        return self.texts[path]

    def delete(self, path: str) -> bool:
        self._note("DELETE", path)
        if path not in self.objects:
            return False
        self.objects[path]["metadata"]["deletionTimestamp"] = "now"
        self._collect()
        return True

    def change(self, path: str, fields: dict[str, Any]) -> bool:
        self._note("CHANGE", path)
        if path not in self.objects:
            return False
        live, asked = self.objects[path]["metadata"], dict(fields["metadata"])
        if asked.pop("resourceVersion", live["resourceVersion"]) != live["resourceVersion"]:
            raise ApiError(
                "the object has been modified; please apply your changes to the latest version", 409
            )
        if set(asked["finalizers"]) - set(live["finalizers"]):
            raise ApiError("no new finalizers can be added if the object is being deleted", 422)
        live.update(asked, resourceVersion=live["resourceVersion"] + 1)
        self._collect()
        return True

    def call(self, method: str, path: str, body: str, content_type: str) -> dict[str, Any]:
        self._note(method, path)
        if "refused" in body:
            raise ApiError("it is refused", 422)
        self.objects[path.partition("?")[0]] = {
            "metadata": {"name": path},
            "body": body,
            "contentType": content_type,
        }
        return {}

    def _note(self, verb: str, path: str) -> None:
        self.tick(self)
        self.calls.append((verb, path))

    def _collect(self) -> None:
        for path, one in list(self.objects.items()):
            metadata = one["metadata"]
            if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
                del self.objects[path]


def custom(kind: str, name: str, *finalizers: str) -> tuple[str, dict[str, Any]]:
    """Return path and object of a custom resource in namespace ray."""
    path = f"/apis/ray.io/v1/namespaces/ray/{kind.lower()}s/{name}"
    return path, {
        "kind": kind,
        "metadata": {"name": name, "finalizers": list(finalizers), "resourceVersion": 1},
    }
