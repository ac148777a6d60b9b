"""A look at a stack's objects on its cluster, within seconds or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.api_server import ApiError, ApiServer, object_path
from infra.recovery.drift import changed_fields

_TIMEOUT_S = 3


def changes_by_others(kubeconfig: str, objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what others have changed or removed, a line for each object; nothing if nobody can be asked.

    Args:
        kubeconfig: How to reach the cluster; its first cluster and user count.
        objects: What the stack declares.
    """
    said = []
    try:
        server = ApiServer(kubeconfig, _TIMEOUT_S)
        for declared in objects:
            name = f"{declared['kind']} {declared['metadata']['name']}"
            live = server.get(object_path(declared))
            if live is None:
                said.append(f"{name} was removed by others")
            elif fields := changed_fields(declared, live):
                said.append(f"{name} was changed by others: {', '.join(fields)}")
    except (ApiError, ValueError, KeyError, TypeError):
        # Whatever is wrong with the cluster, Pulumi says it where it needs the cluster.
        return said
    return said
