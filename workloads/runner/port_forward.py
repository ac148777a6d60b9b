"""Decides how a port of a pod behind a Service is reached from this machine; knows nothing of Ray.

The event loop of kr8s runs in a thread here, beside the runner. Every TCP connection gets a web socket of its
own: one that drops takes no other with it.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any

import kr8s
import kr8s.asyncio
from kr8s.asyncio.objects import Namespace, Pod, Service
from kr8s.asyncio.portforward import PortForward

from workloads.runner.kubeconfig import KubernetesError, private_kubeconfig
from workloads.runner.kubernetes_api import cancel_all, connect, run_on

CLOSE_TIMEOUT_S = 5.0
# kr8s picks a local port at random and may meet one that another program took in between.
BIND_ATTEMPTS = 5


class ServicePods:
    """The ready pods behind a Service, looked up again for every connection that lost its pod.

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
    """Return the pods behind a Service; at least one of them is ready.

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
            f"no pod behind Service {name} is ready ({states or 'there is none'}): wait, then try "
            f"again; `kubectl -n {namespace} describe pods` shows the reason."
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
    loop = asyncio.new_event_loop()
    local_port: Future[int] = Future()

    def run() -> None:
        try:
            run_on(loop, _hold(kubeconfig, namespace, service, port, local_port.set_result))
        except BaseException as error:
            # Once the port is open, only the end of the block gets here: it cancels the loop.
            if not local_port.done():
                local_port.set_exception(error)

    thread = threading.Thread(target=run, name="piray-forward", daemon=True)
    thread.start()
    try:
        yield local_port.result()
    finally:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(cancel_all, loop)
        thread.join(CLOSE_TIMEOUT_S * 2)


async def _hold(
    kubeconfig: str, namespace: str, service: str, port: int, opened: Callable[[int], None]
) -> None:
    """Hold the way open until this task is cancelled; call `opened` with the local port."""
    with private_kubeconfig(kubeconfig) as config:
        async with connect(config) as api, AsyncExitStack() as bridges:
            pods = await find_service(api, namespace, service)
            opened(await _bind(bridges, pods, port))
            try:
                await asyncio.Event().wait()
            finally:
                # From Python 3.12 on closing waits for connections that a client may keep open.
                with suppress(TimeoutError):
                    await asyncio.wait_for(bridges.aclose(), CLOSE_TIMEOUT_S)


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
