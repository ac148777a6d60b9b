"""Platform `pi`: hosts over SSH, k3s on them, and Ray and the π Job on that."""

import os

import pulumi

from infra.config.image_rules import registry_of
from infra.config.model import SshConfig, StackConfig
from infra.config.ray import WorkerGroup
from infra.delivery.component import check_image, declare_delivery
from infra.hosts.check_list import HostNeeds, room_mib
from infra.hosts.component import PiHosts
from infra.k3s.component import K3sCluster, K3sClusterArgs
from infra.k3s.release import WHEELS_FOLDER, K3sRelease, k3s_release
from infra.kuberay.component import KubeRayArgs, KubeRayOutputs, declare_kuberay, declare_mode
from infra.names import DASHBOARD_PORT, DOCKER_HUB, KUBERNETES_API_PORT, RAY_CLUSTER
from infra.outputs import StackOutputs
from infra.pi_job.component import PiJob, PiJobArgs
from infra.ray_cluster.component import RayCluster, RayClusterArgs, declare_deployments
from infra.ray_cluster.network_policies import ipv4_endpoint
from infra.remote import agent


def declare(config: StackConfig) -> StackOutputs:
    """Declare the resources of a stack of Pis and return its outputs.

    Raises:
        RunError: If no login can succeed; before anything is changed.
    """
    _check_way(config)
    check_image(config)
    k3s, ray = config.k3s, config.ray
    release = k3s_release(k3s.version, config.arch, k3s.mirror, k3s.install_script_sha256)
    hosts = PiHosts("hosts", config.hosts, config.ssh, _needs(config, release))
    k3s_cluster = K3sCluster("k3s", _k3s_args(config, release), hosts)
    provider = k3s_cluster.provider
    wheels = _wheels_url(config)
    ray_cluster = RayCluster("ray", _ray_args(config, wheels, k3s_cluster), provider)
    kuberay = _declare_ray(config, ray_cluster, k3s_cluster)
    # Ray first: what it takes to start would be in the Job's times.
    after_ray = pulumi.ResourceOptions(depends_on=[ray_cluster])
    pi_job = PiJob("pi", _pi_args(config, ray_cluster), provider, after_ray)
    return StackOutputs(
        platform=config.platform,
        ray_version=ray.version,
        ray_token=ray_cluster.token,
        workers=ray.workers,
        wheels_url=wheels,
        kubeconfig=k3s_cluster.kubeconfig,
        namespace=ray_cluster.namespace,
        head_service=ray_cluster.head_service,
        dashboard_port=DASHBOARD_PORT,
        pi_job=pi_job.summary,
        hosts=hosts.facts,
        ray_mode=ray.mode,
        ray_cluster=RAY_CLUSTER if kuberay else None,
        groups={group.name: _share(group) for group in ray.groups},
        jobs=kuberay.jobs if kuberay and kuberay.jobs else None,
        services=kuberay.services if kuberay and kuberay.services else None,
    )


def _check_way(config: StackConfig) -> None:
    _check_agent(config.ssh)
    if config.ssh.proxy:
        # What joins Kubernetes and the runner knows no jump host.
        pulumi.info(
            f"Kubernetes' API at {config.servers[0].address}, port {KUBERNETES_API_PORT}, must be reachable "
            "from this machine without the jump host"
        )


def _k3s_args(config: StackConfig, release: K3sRelease) -> K3sClusterArgs:
    ray = config.ray
    return K3sClusterArgs(
        servers=config.servers,
        agents=config.agents,
        ssh=config.ssh,
        release=release,
        # In either mode, so that another mode is nothing to the hosts.
        images=[ray.image, ray.operator.image],
        registry=registry_of(ray.image) or DOCKER_HUB,
        image_source=ray.image_source,
    )


def _ray_args(config: StackConfig, wheels_url: str | None, k3s_cluster: K3sCluster) -> RayClusterArgs:
    """Declare what brings the image to the Nodes, and return what Ray is told."""
    options = pulumi.ResourceOptions(parent=k3s_cluster, depends_on=k3s_cluster.nodes)
    return RayClusterArgs(
        ray=config.ray,
        wheels_url=wheels_url,
        namespace=config.namespace,
        arch=config.arch,
        image=declare_delivery(config, options),
        nodes=k3s_cluster.nodes,
    )


def _pi_args(config: StackConfig, ray_cluster: RayCluster) -> PiJobArgs:
    return PiJobArgs(
        job=config.pi_job,
        image=config.ray.image,
        arch=config.arch,
        namespace=ray_cluster.namespace,
        pull_secret=config.ray.pull_secret,
    )


def _declare_ray(
    config: StackConfig, ray_cluster: RayCluster, k3s_cluster: K3sCluster
) -> KubeRayOutputs | None:
    """Declare Ray's pods as the stack's mode has them; return what KubeRay tells, if it is KubeRay."""
    if config.ray.mode == "kuberay":
        args = KubeRayArgs(
            kubeconfig=k3s_cluster.kubeconfig,
            servers=[str(server.address) for server in config.servers],
            mirror=config.k3s.mirror,
        )
        return declare_kuberay(ray_cluster, args, k3s_cluster.provider)
    mode = declare_mode(ray_cluster, config.ray.mode, k3s_cluster.kubeconfig)
    declare_deployments(ray_cluster, [mode])
    return None


def _share(group: WorkerGroup) -> dict[str, int]:
    return {
        "replicas": group.replicas,
        "minReplicas": group.min_replicas,
        "maxReplicas": group.max_replicas,
        "cpus": group.cpus,
        "memoryMib": group.memory_mib,
    }


def _wheels_url(config: StackConfig) -> str | None:
    """Return where a mirror would have wheels for the hosts and for jobs; None where no pod may go there.

    A NetworkPolicy knows addresses alone: a mirror that is given by a name stays closed to pods.
    """
    if config.k3s.mirror is None or not config.ray.runtime_packages:
        return None
    return f"{config.k3s.mirror}/{WHEELS_FOLDER}/" if ipv4_endpoint(config.k3s.mirror) else None


def _needs(config: StackConfig, release: K3sRelease) -> HostNeeds:
    return HostNeeds(
        arch=config.arch,
        servers=len(config.servers),
        server=str(config.servers[0].address),
        # The same for every release: another one shall touch k3s alone.
        sources=(release.install_script_url,),
        room_mib=room_mib(config.ray.image),
    )


def _check_agent(ssh: SshConfig) -> None:
    # A preview needs no SSH.
    if pulumi.runtime.is_dry_run():
        return
    verdict = agent.judge(os.environ, private_key=ssh.private_key is not None)
    if verdict.problem:
        raise pulumi.RunError(f"{verdict.problem}. Nothing has been changed.")
    if verdict.warning:
        pulumi.warn(verdict.warning)
