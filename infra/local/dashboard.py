"""Which nodes the cluster counts as alive, as its dashboard says."""

import http.client
import json
import urllib.request

# Labels of a Ray node, by which it is known again.
NODE_LABEL = "piray/node"
START_LABEL = "piray/start"

_TIMEOUT_S = 10
_MAX_NODES = 10_000
# A proxy of the user's does not lead to this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def counted_nodes(port: int, token: str) -> frozenset[tuple[str, str]] | None:
    """Return name and start of every node that the cluster believes alive.

    Args:
        port: Port of the dashboard on the loopback interface.
        token: Ray's bearer token.

    Returns:
        The values of the two labels of each node; None while the dashboard does not answer, or refuses.
    """
    request = urllib.request.Request(  # noqa: S310 — the scheme is a constant
        f"http://127.0.0.1:{port}/api/v0/nodes?detail=true&limit={_MAX_NODES}",
        headers={"Authorization": f"Bearer {token}"},
    )
    try:
        with _DIRECT.open(request, timeout=_TIMEOUT_S) as response:
            nodes = json.load(response)["data"]["result"]["result"]
        labels = [node["labels"] for node in nodes if node["state"] == "ALIVE"]
        return frozenset((each[NODE_LABEL], each[START_LABEL]) for each in labels if NODE_LABEL in each)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
