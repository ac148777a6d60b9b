"""Decides how a port of a pod behind a Service is reached from this machine; knows nothing of Ray.

kr8s does the Kubernetes part. It runs in an event loop of its own, in a thread, so that the runner stays
synchronous, and every TCP connection gets a web socket of its own: one that drops takes no other with it.
"""

import asyncio
import base64
import copy
import logging
import os
import queue
import shutil
import ssl
import tempfile
import threading
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import kr8s
import kr8s.asyncio
import yaml
from kr8s.asyncio.objects import Namespace, Pod, Service
from kr8s.asyncio.portforward import PortForward

# Long enough for a Pi that wakes its disk up, short enough to say that nobody is there.
API_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 5.0
# kr8s picks a local port at random and may meet one that another program took in between.
BIND_ATTEMPTS = 5

T = TypeVar("T")


class KubernetesError(Exception):
    """Kubernetes cannot be reached or lacks what was asked for; one line that says what to do."""


@dataclass(frozen=True)
class Kubeconfig:
    """A kubeconfig in files that only this user can read.

    Attributes:
        path: The kubeconfig; its keys are in files beside it.
        server: URL of the API server, for messages.
    """

    path: Path
    server: str


@contextmanager
def private_kubeconfig(text: str) -> Iterator[Kubeconfig]:
    """Write a kubeconfig's text to files, and remove every trace afterwards.

    kr8s writes the keys that a kubeconfig holds to temporary files and leaves them there. Given their paths
    it does not, so the keys are written here: 0600, in a folder of our own that goes away with the run.

    Raises:
        KubernetesError: If the text is no kubeconfig.
    """
    config = _load(text)
    folder = Path(tempfile.mkdtemp(prefix="piray-"))
    try:
        for entries, inner in ((config["clusters"], "cluster"), (config["users"], "user")):
            for index, entry in enumerate(entries):
                _keys_to_files(entry[inner], folder, f"{inner}-{index}")
        path = folder / "kubeconfig"
        _write_private(path, yaml.safe_dump(config).encode())
        yield Kubeconfig(path, config["clusters"][0]["cluster"]["server"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def connect(config: Kubeconfig) -> AsyncIterator[kr8s.asyncio.Api]:
    """Connect to Kubernetes; every foreseeable failure inside the block becomes a KubernetesError.

    Raises:
        KubernetesError: If the server is away, refuses the credentials, or answers with an error.
    """
    where = f"Kubernetes at {config.server}"
    # kr8s warns about every Kubernetes that is newer than itself.
    warnings.filterwarnings("ignore", module="kr8s", category=UserWarning)
    try:
        api = await asyncio.wait_for(kr8s.asyncio.api(kubeconfig=str(config.path)), API_TIMEOUT_S)
        api.timeout = API_TIMEOUT_S
        yield api
    except (TimeoutError, kr8s.APITimeoutError, httpx.TimeoutException):
        raise KubernetesError(
            f"{where} does not answer: is the server's Pi on, and is this machine in its network?"
        ) from None
    except kr8s.ServerError as error:
        raise KubernetesError(_refusal(where, error)) from None
    except (httpx.TransportError, ssl.SSLError, OSError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise KubernetesError(
                f"{where} shows a certificate that is not this stack's: was k3s installed anew? "
                "Run `make up` for the stack."
            ) from None
        raise KubernetesError(
            f"{where} cannot be reached ({error}): is the server's Pi on, and is k3s running there?"
        ) from None


class ServicePods:
    """The ready pods behind a Service, looked up anew for every connection that lost its pod.

    Stands in for kr8s' own Service, which asks the server for every kind of resource it knows first.
    """

    def __init__(self, api: kr8s.asyncio.Api, namespace: str, selector: dict[str, str]) -> None:
        self._api, self._namespace, self._selector = api, namespace, selector

    async def all(self) -> list[Pod]:
        """Return every pod that the Service selects."""
        found = self._api.async_get(Pod, namespace=self._namespace, label_selector=self._selector)
        return [pod async for pod in found if isinstance(pod, Pod)]

    async def ready_pods(self) -> list[Pod]:
        """Return the pods that take connections; kr8s calls this and the next by name."""
        return [pod for pod in await self.all() if _is_ready(pod.raw)]

    async_ready_pods = ready_pods


async def find_service(api: kr8s.asyncio.Api, namespace: str, name: str) -> ServicePods:
    """Return the pods behind a Service, once one of them is ready.

    Raises:
        KubernetesError: If the namespace or the Service is missing, or no pod is ready.
    """
    services = [one async for one in api.async_get(Service, name, namespace=namespace, raw=True)]
    if not services or not isinstance(services[0], dict):
        what = f"no Service {name}" if await _has_namespace(api, namespace) else "no such namespace"
        raise KubernetesError(f"namespace {namespace}: the cluster has {what}; run `make up` for the stack.")
    pods = ServicePods(api, namespace, services[0]["spec"]["selector"])
    if not await pods.ready_pods():
        states = ", ".join(f"{pod.name} is {_pod_state(pod.raw)}" for pod in await pods.all())
        raise KubernetesError(
            f"no pod behind Service {name} is ready ({states or 'there is none'}): wait, then see "
            f"`kubectl -n {namespace} describe pods`."
        )
    return pods


@contextmanager
def forward(kubeconfig: str, namespace: str, service: str, port: int) -> Iterator[int]:
    """Hold a free port of this machine's loopback open to a port of the pod behind a Service.

    Args:
        kubeconfig: Contents of a kubeconfig. Secret.
        namespace: Namespace of the Service.
        service: Name of the Service.
        port: Port on the pod.

    Yields:
        The local port.

    Raises:
        KubernetesError: If it cannot be opened.
    """
    opened: queue.SimpleQueue[int | BaseException] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()

    async def hold() -> None:
        with private_kubeconfig(kubeconfig) as config:
            async with connect(config) as api, AsyncExitStack() as bridges:
                found = await find_service(api, namespace, service)
                opened.put(await _bind(bridges, found, port))
                try:
                    await asyncio.Event().wait()
                finally:
                    # From Python 3.12 on closing waits for connections that a client may keep open.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(bridges.aclose(), CLOSE_TIMEOUT_S)

    def run() -> None:
        try:
            run_on(loop, hold())
        except BaseException as error:  # handed to the waiting caller, which raises it
            opened.put(error)

    thread = threading.Thread(target=run, name="piray-forward", daemon=True)
    thread.start()
    try:
        first = opened.get()
        if isinstance(first, BaseException):
            raise first
        yield first
    finally:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_cancel_all, loop)
        thread.join(CLOSE_TIMEOUT_S * 2)


def run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own, then cancel whatever it left behind and close the loop."""
    # A connection that breaks is the client's business, which sees it and tries again: no traceback for it.
    loop.set_exception_handler(lambda _, context: logging.getLogger(__name__).debug("forward: %s", context))
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        return loop.run_until_complete(work)
    finally:
        left = _cancel_all(loop)
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    return tasks


async def _bind(bridges: AsyncExitStack, pods: ServicePods, port: int) -> int:
    # Typed by kr8s as one of its own objects; it only calls the two methods of ServicePods.
    resource: Any = pods
    for attempt in range(1, BIND_ATTEMPTS + 1):
        bridge = PortForward(resource, port, local_port="auto", address="127.0.0.1")
        try:
            return int(await bridges.enter_async_context(bridge))
        except OSError:
            if attempt == BIND_ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _has_namespace(api: kr8s.asyncio.Api, name: str) -> bool:
    try:
        return bool([one async for one in api.async_get(Namespace, name, raw=True)])
    except kr8s.ServerError:
        # A student's account may not look at namespaces; then the Service is what is missing.
        return True


def _is_ready(pod: Any) -> bool:
    # A pod that is being deleted stays ready until it is gone.
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _pod_state(pod: Any) -> str:
    status = pod.get("status", {})
    for container in status.get("containerStatuses", []):
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason"):
            return str(waiting["reason"])
    phase = str(status.get("phase", "Unknown"))
    return "Running, not ready" if phase == "Running" else phase


def _refusal(where: str, error: kr8s.ServerError) -> str:
    code = error.response.status_code if error.response is not None else 0
    reason = str(error).partition("\n")[0]
    if code in (401, 403):
        return (
            f"{where} refuses the stack's credentials ({reason}): "
            "run `make up` for the stack to read them anew."
        )
    return f"{where} answered with an error ({reason}): is k3s healthy there?"


def _load(text: str) -> dict[str, Any]:
    remedy = "output kubeconfig is no kubeconfig: run `make up` for the stack."
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError:
        raise KubernetesError(remedy) from None
    if not isinstance(config, dict):
        raise KubernetesError(remedy)
    config = copy.deepcopy(config)
    try:
        names = [config["contexts"][0]["context"], config["current-context"], config["users"][0]["user"]]
        server = config["clusters"][0]["cluster"]["server"]
    except (KeyError, IndexError, TypeError):
        raise KubernetesError(remedy) from None
    if not all(names) or not isinstance(server, str):
        raise KubernetesError(remedy)
    return config


def _keys_to_files(entry: dict[str, Any], folder: Path, name: str) -> None:
    for key in ("client-key", "client-certificate", "certificate-authority"):
        data = entry.pop(f"{key}-data", None)
        if data is None:
            continue
        path = folder / f"{name}-{key}.pem"
        _write_private(path, base64.b64decode(data))
        entry[key] = str(path)


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
