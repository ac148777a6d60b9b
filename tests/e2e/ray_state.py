"""What Ray's dashboard on a cluster answers, by a port-forward as the runner makes it."""

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox.stack import STACK
from tests.e2e.cluster import Cluster
from workloads.runner import stack_outputs
from workloads.runner.port_forward import forward


@contextmanager
def dashboard(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Yield the dashboard's URL on this machine, and its token."""
    outputs = stack_outputs.parse(cluster.outputs, STACK)
    assert outputs.kubeconfig
    assert outputs.namespace
    assert outputs.head_service
    assert outputs.dashboard_port
    with forward(outputs.kubeconfig, outputs.namespace, outputs.head_service, outputs.dashboard_port) as port:
        yield f"http://127.0.0.1:{port}", outputs.ray_token


def ask(url: str, token: str | None = None) -> tuple[int, str]:
    """Return HTTP status and body."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def computed_bands(cluster: Cluster) -> Counter[str]:
    """Ask Ray's state API how many bands of pictures each host has computed."""
    with dashboard(cluster) as (url, token):
        nodes = _records(f"{url}/api/v0/nodes?limit=100", token)
        tasks = _records(f"{url}/api/v0/tasks?limit=10000&detail=1", token)
    hosts = {item["status"].get("podIP"): item["spec"].get("nodeName", "") for item in cluster.items("pods")}
    names = {node["node_id"]: hosts[node["node_ip"]] for node in nodes if node["node_ip"] in hosts}
    done = (
        names.get(task["node_id"])
        for task in tasks
        if task["state"] == "FINISHED" and task["name"].endswith(".compute")
    )
    return Counter(name for name in done if name)


def _records(url: str, token: str) -> list[Mapping[str, Any]]:
    status, body = ask(url, token)
    assert status == 200, body
    found: list[Mapping[str, Any]] = json.loads(body)["data"]["result"]["result"]
    return found
