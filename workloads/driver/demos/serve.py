"""Serve: a web application whose requests are answered by several replicas, on several nodes."""

import asyncio
import json
import socket
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
from ray import serve

from workloads.driver.nodes import WorkloadError
from workloads.driver.stage.stage import Stage

REPLICAS = 3
REQUESTS = 30
APPLICATION = "piray-demo"


# A deployment is a class of which Ray Serve runs several copies, each an actor of its own. The same class
# without the decorator could be called on this computer.
@serve.deployment(num_replicas=REPLICAS, max_ongoing_requests=1, ray_actor_options={"num_cpus": 0.1})
class Greeter:
    """Answers every request with a greeting, and with who answered."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    async def __call__(self, request: Any) -> dict[str, str]:
        await asyncio.sleep(0.1)  # This stands for work, such as a model that predicts.
        name = request.query_params.get("name", "world")
        return {
            "text": f"{self.greeting}, {name}!",
            "replica": serve.get_replica_context().replica_id.unique_id,
            "node": ray.get_runtime_context().get_node_id(),
        }


def ask(url: str) -> dict[str, str]:
    # No proxy of the network in between: the address is on this computer.
    web = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with web.open(url, timeout=60) as response:
        return dict(json.load(response))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def show(stage: Stage) -> None:
    """Start the application, ask it over HTTP, and count who has answered."""
    if others := ", ".join(serve.status().applications):
        raise WorkloadError(f"Serve runs {others} on this cluster already, and this demo would stop it.")
    # The proxy takes requests on the head, and passes each to a replica that is free, the nearest first.
    port = free_port()
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    try:
        # `bind` keeps the arguments of the constructor until a replica is made.
        serve.run(Greeter.bind("Hello"), name=APPLICATION, route_prefix="/greet")

        # As many users ask at the same time as there are replicas.
        with ThreadPoolExecutor(REPLICAS) as users:
            answers = list(users.map(ask, [f"http://127.0.0.1:{port}/greet?name=Pi"] * REQUESTS))

        stage.say(f"{len(answers)} requests to /greet?name=Pi, each answered: {answers[0]['text']}")
        for (replica, node_id), count in Counter((a["replica"], a["node"]) for a in answers).items():
            stage.say(f"replica {replica} on {stage.host(node_id)} answered {count} of them")
        stage.check("every request was answered", [a["text"] for a in answers] == ["Hello, Pi!"] * REQUESTS)
        stage.check("several replicas answered", len({a["replica"] for a in answers}) > 1)

        name = f"ServeReplica:{APPLICATION}:Greeter"
        stage.list("actors", count=REPLICAS, class_name=name, state="ALIVE")
    finally:
        serve.shutdown()
