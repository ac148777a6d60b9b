"""A small Kubernetes API server for tests: the objects it is given, and port-forwards by web socket.

Run as `python fake_kubernetes.py OBJECTS.json TARGET_PORT`; prints its port.
The objects, {"services": […], …}, are read again for every request. Connections to pods go to TARGET_PORT of
this machine, whatever the pod. Requests need the token "kubernetes".
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import yaml
from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

TOKEN = "kubernetes"
MISSING = {"message": "not found", "reason": "NotFound"}
# A kubelet copies at most so many bytes into one message.
FRAME_BYTES = 32_768
POD: dict[str, Any] = {
    "metadata": {"name": "ray-head-1", "namespace": "ray", "labels": {"app": "ray-head"}},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}
OBJECTS: dict[str, Any] = {
    "namespaces": [{"metadata": {"name": "ray"}}],
    "services": [
        {"metadata": {"name": "ray-head", "namespace": "ray"}, "spec": {"selector": {"app": "ray-head"}}}
    ],
    "pods": [POD],
}


class Head(Protocol):
    """A Ray head of this machine."""

    @property
    def url(self) -> str: ...

    def outputs(self, **changes: Any) -> str: ...


def kubeconfig(server: str, **user: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": user or {"token": TOKEN}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


@contextmanager
def kubernetes(objects: Path, target: int) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, __file__, str(objects), str(target)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


@web.middleware
async def authenticated(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return web.json_response({"message": "Unauthorized"}, status=401)
    return await handler(request)


async def version(_: web.Request) -> web.Response:
    return web.json_response({"gitVersion": "v1.36.3+k3s1", "major": "1", "minor": "36"})


async def listing(request: web.Request) -> web.Response:
    objects = json.loads(Path(request.app["objects"]).read_text())
    found = objects.get(request.match_info["kind"], [])
    namespace = request.match_info.get("namespace")
    items = [one for one in found if namespace in (None, one["metadata"].get("namespace"))]
    for term in filter(None, request.query.get("labelSelector", "").split(",")):
        key, value = term.split("=", 1)
        items = [one for one in items if one["metadata"].get("labels", {}).get(key) == value]
    return web.json_response({"kind": "List", "metadata": {}, "items": items})


async def port_forward(request: web.Request) -> web.StreamResponse:
    objects = json.loads(Path(request.app["objects"]).read_text())
    if request.match_info["pod"] not in [pod["metadata"]["name"] for pod in objects["pods"]]:
        return web.json_response(MISSING, status=404)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    port = int(request.query["ports"]).to_bytes(2, "little")
    await socket.send_bytes(b"\x00" + port)
    await socket.send_bytes(b"\x01" + port)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", request.app["target"])
    except OSError as error:
        await socket.send_bytes(b"\x01" + str(error).encode())
        await socket.close()
        return socket

    async def answers() -> None:
        while data := await reader.read(FRAME_BYTES):
            await socket.send_bytes(b"\x00" + data)
        await socket.close()

    task = asyncio.create_task(answers())
    async for message in socket:
        if message.type == WSMsgType.BINARY:
            writer.write(message.data[1:])
            await writer.drain()
    task.cancel()
    writer.close()
    return socket


async def serve(objects: str, target: int) -> None:
    app = web.Application(middlewares=[authenticated])
    app["objects"], app["target"] = objects, target
    app.router.add_get("/version/", version)
    app.router.add_get("/api/v1/namespaces/{namespace}/pods/{pod}/portforward", port_forward)
    app.router.add_get("/api/v1/namespaces/{namespace}/{kind}", listing)
    app.router.add_get("/apis/batch/v1/namespaces/{namespace}/{kind}", listing)
    app.router.add_get("/api/v1/{kind}", listing)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def behind_kubernetes(head: Head, folder: Path) -> Iterator[str]:
    """Yield the outputs of a stack whose head is reached through a port-forward alone.

    Args:
        head: The real head behind it.
        folder: Where the cluster's objects are kept.
    """
    (folder / "objects.json").write_text(json.dumps(OBJECTS))
    with kubernetes(folder / "objects.json", int(head.url.rpartition(":")[2])) as server:
        yield head.outputs(
            platform="pi",
            dashboardUrl=None,
            kubeconfig=kubeconfig(server),
            namespace="ray",
            headService="ray-head",
            dashboardPort=8265,
        )


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
