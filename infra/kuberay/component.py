"""Ray as the KubeRay operator runs it: the operator, the RayCluster, the stack's jobs and services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_command import local

from infra.config.ray import RayConfig
from infra.kuberay.command import Step, step_command
from infra.kuberay.definitions import definitions_url
from infra.kuberay.manifests.cluster import (
    STACKS_OWN,
    cluster_spec,
    ray_cluster,
    revision_of,
)
from infra.kuberay.manifests.policies import asked_ports, kuberay_policies
from infra.kuberay.operator import KubeRayOperator, KubeRayOperatorArgs
from infra.kuberay.place import Place, empty_task
from infra.kuberay.work import declare_work
from infra.names import KUBERAY_NAMESPACE, RAY_CLUSTER
from infra.ray_cluster import deployments
from infra.ray_cluster.component import RayCluster
from infra.versions import KUBERAY_CRD_SHA256

# As for the Deployments: a first pull of the image and cold imports.
_START_LIMIT_S = 45 * 60


@dataclass(frozen=True, kw_only=True)
class KubeRayArgs:
    """What KubeRay mode is told.

    Attributes:
        kubeconfig: How to reach the cluster. Secret.
        servers: IP addresses of the API servers.
        mirror: Where the definitions of the custom resources are; None for the release.
    """

    kubeconfig: pulumi.Output[str]
    servers: Sequence[str]
    mirror: str | None = None


@dataclass(frozen=True, kw_only=True)
class KubeRayOutputs:
    """What the runner is told of it.

    Attributes:
        jobs: By the name of a RayJob, what has become of it.
        services: By the name of a RayService, name and port of the Service in front of it, and its route.
    """

    jobs: Mapping[str, pulumi.Output[Mapping[str, Any]]]
    services: Mapping[str, Mapping[str, Any]]


def declare_mode(
    cluster: RayCluster, mode: str, kubeconfig: pulumi.Output[str], after: Sequence[pulumi.Resource] = ()
) -> local.Command:
    """Declare which mode runs Ray's pods: what the other one runs has to be gone before.

    Pulumi makes what is new before it removes what is old: two heads behind one name, for which the hosts
    have no memory either.

    Args:
        cluster: Where Ray runs.
        mode: "deployments" or "kuberay".
        kubeconfig: How to reach the cluster. Secret.
        after: What has to work before anything is removed.
    """
    # What stdin says no preview shows.
    step = Step(task=empty_task(), create=f"room {mode}")
    opts = pulumi.ResourceOptions(parent=cluster, depends_on=[*cluster.walls, *after])
    return step_command(f"{cluster.name}-mode", step, kubeconfig, cluster.namespace, opts)


def declare_kuberay(cluster: RayCluster, args: KubeRayArgs, provider: kubernetes.Provider) -> KubeRayOutputs:
    """Declare the operator and all that it looks after.

    Args:
        cluster: Where Ray runs.
        args: What KubeRay mode is told.
        provider: Kubernetes provider of the cluster.
    """
    ray, name = cluster.args.ray, cluster.name
    definitions = _definitions(cluster, args)
    operator = _operator(cluster, args, provider, definitions)
    policies = kuberay_policies(ray, args.servers, cluster.namespace, operator.namespace)
    walls = [
        kubernetes.networking.v1.NetworkPolicy(f"{name}-{policy}", **manifest, opts=cluster.child)
        for policy, manifest in policies.items()
    ]
    # The operator would draw a token of its own if the Secret were not there.
    secret = kubernetes.core.v1.Secret(
        f"{name}-cluster-auth",
        **deployments.token_secret(RAY_CLUSTER, cluster.namespace, cluster.token),
        opts=cluster.child,
    )
    mode = declare_mode(cluster, "kuberay", args.kubeconfig, [operator.deployment])
    place = Place(
        cluster=cluster,
        kubeconfig=args.kubeconfig,
        provider=_provider(name, args.kubeconfig, definitions),
        before=[operator.deployment, secret, mode, *walls, *cluster.walls, *cluster.args.nodes],
        token_mark=cluster.content_name("token"),
    )
    ready = _declare_cluster(place, ray)
    jobs, services = declare_work(place, ray, ready)
    return KubeRayOutputs(jobs=jobs, services=services)


def _definitions(cluster: RayCluster, args: KubeRayArgs) -> local.Command:
    task = empty_task(definitions_url=definitions_url(args.mirror), definitions=KUBERAY_CRD_SHA256)
    step = Step(task=task, create="define", delete="undefine")
    opts = pulumi.ResourceOptions(parent=cluster)
    return step_command(f"{cluster.name}-definitions", step, args.kubeconfig, cluster.namespace, opts)


def _operator(
    cluster: RayCluster, args: KubeRayArgs, provider: kubernetes.Provider, definitions: pulumi.Resource
) -> KubeRayOperator:
    ray = cluster.args.ray
    operator_args = KubeRayOperatorArgs(
        operator=ray.operator,
        namespace=KUBERAY_NAMESPACE,
        watched=cluster.namespace,
        arch=cluster.args.arch,
        servers=args.servers,
        ports=asked_ports(ray),
    )
    # It ends at once where its resources are not known.
    after = pulumi.ResourceOptions(depends_on=[definitions])
    return KubeRayOperator("kuberay", operator_args, provider, after)


def _provider(name: str, kubeconfig: pulumi.Output[str], definitions: pulumi.Resource) -> kubernetes.Provider:
    """Return a provider that is started when the definitions are there.

    One that was started before asks the cluster only once which kinds there are, and never finds these.
    https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/provider.go (Create)
    """
    return kubernetes.Provider(
        f"{name}-custom-provider",
        kubeconfig=kubeconfig,
        # As for the provider of all other objects (infra/k3s/component.py).
        cluster_identifier=f"{pulumi.get_project()}/{pulumi.get_stack()}/{name}-custom",
        upsert_existing_objects=True,
        enable_patch_force=True,
        opts=pulumi.ResourceOptions(depends_on=[definitions]),
    )


def _declare_cluster(place: Place, ray: RayConfig) -> local.Command:
    """Declare the stack's RayCluster and the wait for it."""
    arch, name = place.cluster.args.arch, f"{place.cluster.name}-cluster"
    digest = revision_of(cluster_spec(ray, arch, STACKS_OWN, ""))
    revision = place.token_mark.apply(lambda mark: f"{digest}-{mark}")
    declared = place.resource(name, ray_cluster(ray, arch, place.cluster.namespace, revision))
    known = ray_cluster(ray, arch, place.cluster.args.namespace, digest)
    least = {group.name: group.min_replicas for group in ray.groups}
    step = Step(task=empty_task(least=least), limit_s=_START_LIMIT_S)
    return place.ready(declared, name, known, step, revision)
