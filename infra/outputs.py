"""The stack's outputs: what the workload runner is told, whatever the platform.

The runner reads the same names from JSON in `workloads/runner/stack_outputs.py`;
`tests/test_contract.py` pins both sides. A change of meaning raises CONTRACT_VERSION;
a value of None is left out of the stack's outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import pulumi

from infra.names import camel_case

CONTRACT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class StackOutputs:
    """Typed outputs of one stack; field `ray_token` is exported as `rayToken`, and so on.

    Attributes:
        platform: "pi" or "local".
        ray_version: Exact Ray version of the cluster.
        ray_token: Bearer token of the dashboard, the Jobs API and every Ray process. Secret.
        workers: Number of Ray workers that are always there, the head not counted.
        runtime_packages: What a job has to bring; nothing with Kubernetes, where the hosts have it.
        wheels_url: Where a mirror may have wheels of what jobs bring; None without a mirror.
        dashboard_url: Where the Jobs API listens on this machine; None where a port-forward is needed.
        kubeconfig: Contents of an admin kubeconfig; None without Kubernetes. Secret.
        namespace: Kubernetes namespace of the Ray pods.
        head_service: Name of the Service in front of the Ray head.
        dashboard_port: Port of the dashboard and Jobs API on the head's pod.
        pi_job: The parallel π Job: name, completions, parallelism, samples (per completion), seed.
        hosts: By the name of a host, which its Node has as well, its facts as they were when it was last
            verified: arch, kernel, model, cores, memoryMib, cgroupVersion, throttled. None where the program
            set up no hosts.
        ray_mode: "deployments" or "kuberay"; None without Kubernetes.
        ray_cluster: Name of the RayCluster; None without KubeRay.
        groups: By the name of a group of workers: replicas, minReplicas, maxReplicas, cpus, memoryMib.
        jobs: By the name of a RayJob, what had become of it when it was last waited for: status ("SUCCEEDED",
            "FAILED", "STOPPED", or how it goes on), reason, message, startTime, endTime.
        services: By the name of a RayService, how it is reached: service (name of the Kubernetes Service),
            port, route.
    """

    platform: str
    ray_version: str
    ray_token: pulumi.Output[str]
    workers: int
    runtime_packages: tuple[str, ...] = ()
    wheels_url: str | None = None
    dashboard_url: pulumi.Input[str] | None = None
    kubeconfig: pulumi.Output[str] | None = None
    namespace: pulumi.Input[str] | None = None
    head_service: str | None = None
    dashboard_port: int | None = None
    pi_job: Mapping[str, pulumi.Input[Any]] | None = None
    hosts: Mapping[str, pulumi.Output[Mapping[str, Any]]] | None = None
    ray_mode: str | None = None
    ray_cluster: str | None = None
    groups: Mapping[str, Mapping[str, int]] | None = None
    jobs: Mapping[str, pulumi.Output[Mapping[str, Any]]] | None = None
    services: Mapping[str, Mapping[str, Any]] | None = None


def export(outputs: StackOutputs) -> None:
    """Export every field that has a value, the contract's version first."""
    pulumi.export("contractVersion", CONTRACT_VERSION)
    for name, value in values_of(outputs).items():
        if value is not None:
            pulumi.export(camel_case(name), list(value) if isinstance(value, tuple) else value)


def values_of(outputs: StackOutputs) -> dict[str, Any]:
    """Return the values by the names of their fields."""
    return {field.name: getattr(outputs, field.name) for field in fields(outputs)}
