"""Decides what is read of Kubernetes: pods and events of a namespace, and the nodes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import kr8s
import kr8s.asyncio
from kr8s.asyncio.objects import Event, Node, Pod

from workloads.runner.kubeconfig import private_kubeconfig
from workloads.runner.kubernetes_api import connect, run_on

Object = Mapping[str, Any]


@dataclass(frozen=True)
class KubernetesView:
    """What Kubernetes says of a stack, each object as its API has it.

    Attributes:
        pods: Of the namespace.
        events: Of the namespace, which Kubernetes keeps for an hour.
        nodes: Of the cluster; empty if the account may not look at them.
    """

    pods: tuple[Object, ...]
    events: tuple[Object, ...]
    nodes: tuple[Object, ...]

    def hosts(self) -> dict[str, str]:
        """Return the names of hosts by the IP addresses of the pods on them, which no other pod has now."""
        return {
            str(pod["status"]["podIP"]): str(pod["spec"]["nodeName"])
            for pod in self.pods
            if pod.get("status", {}).get("podIP") and pod.get("spec", {}).get("nodeName")
            # The address of a pod that has ended may be another one's by now.
            if pod["status"].get("phase") not in ("Succeeded", "Failed")
        }


def read_kubernetes(kubeconfig: str, namespace: str) -> KubernetesView:
    """Read what Kubernetes says.

    Args:
        kubeconfig: Contents of a kubeconfig. Secret.
        namespace: Namespace of the Ray pods.

    Raises:
        KubernetesError: If Kubernetes cannot be reached, or refuses.
    """
    return run_on(asyncio.new_event_loop(), _read(kubeconfig, namespace))


async def _read(kubeconfig: str, namespace: str) -> KubernetesView:
    with private_kubeconfig(kubeconfig) as config:
        async with connect(config) as api:
            pods = await _found(api, Pod, namespace)
            return KubernetesView(
                pods, await _allowed(api, Event, namespace), await _allowed(api, Node, None)
            )


async def _allowed(api: kr8s.asyncio.Api, kind: type, namespace: str | None) -> tuple[Object, ...]:
    """Return objects, or none where the account may not look at such: they only explain."""
    try:
        return await _found(api, kind, namespace)
    except kr8s.ServerError:
        return ()


async def _found(api: kr8s.asyncio.Api, kind: type, namespace: str | None) -> tuple[Object, ...]:
    found = api.async_get(kind, namespace=namespace, raw=True)
    return tuple([dict(one) async for one in found if isinstance(one, Mapping)])
