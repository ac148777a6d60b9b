"""From the stack's config to a Ray cluster and its outputs."""

import gc
from functools import partial

import pulumi

from infra.config.load import load
from infra.hosts.component import PiHosts
from infra.k3s.component import K3sCluster
from infra.local.component import LocalRay
from infra.names import DASHBOARD_PORT
from infra.outputs import StackOutputs, export
from infra.pi_job.component import PiJob
from infra.program import end_without_traceback
from infra.ray_cluster.component import RayCluster

# What the program makes lives as long as it does: with 1000 hosts a third of its time is looking for garbage.
gc.disable()
end_without_traceback()
config = load()
outputs = partial(
    StackOutputs,
    platform=config.platform,
    ray_version=config.ray.version,
    workers=config.workers,
    runtime_packages=config.ray.runtime_packages,
)
if config.platform == "local":
    local = LocalRay("ray", config.ray, config.workers)
    export(outputs(ray_token=local.token, dashboard_url=local.dashboard_url))
else:
    hosts = PiHosts("hosts", config)
    k3s = K3sCluster("k3s", config, hosts)
    ray = RayCluster("ray", config, k3s.provider)
    # Ray first: what it takes to start would be in the Job's times.
    pi = PiJob("pi", config, k3s.provider, ray.namespace, pulumi.ResourceOptions(depends_on=[ray]))
    cluster = partial(outputs, kubeconfig=k3s.kubeconfig, namespace=ray.namespace, pi_job=pi.summary)
    export(cluster(ray_token=ray.token, head_service=ray.head_service, dashboard_port=DASHBOARD_PORT))
