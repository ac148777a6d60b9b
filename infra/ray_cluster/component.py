"""A Ray cluster on Kubernetes: a namespace, the token, the walls around it, and a head and workers in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from infra.config.ray import RayConfig
from infra.names import HEAD_SERVICE, RAY_CLUSTER_TYPE
from infra.objects.metadata import name_by_content
from infra.ray_cluster import deployments, packages
from infra.ray_cluster.network_policies import network_policies
from infra.ray_token import ray_token

# Longer than the Deployments' own deadline, so that it is Kubernetes that says what is wrong.
_ROLLOUT_TIMEOUT = "45m"


@dataclass(frozen=True, kw_only=True)
class RayClusterArgs:
    """What a Ray cluster is told.

    Attributes:
        ray: Version, image, and the shares of head and groups of workers.
        namespace: Name of the Namespace that is made for it.
        arch: "arm64" or "amd64", which the nodes must have.
        wheels_url: Where a mirror may have what the image lacks; None where it comes from the internet.
        image: What brings the image to the nodes.
        nodes: What the workers wait for, so that they spread over all nodes and not over the first ones.
    """

    ray: RayConfig
    namespace: str
    arch: str
    wheels_url: str | None = None
    image: Sequence[pulumi.Resource] = ()
    nodes: Sequence[pulumi.Resource] = ()


class RayCluster(pulumi.ComponentResource):
    """Ray in a namespace of its own: what is the same however its pods are run.

    The pods are declared by declare_deployments, or by infra/kuberay, as children of it. `destroy` removes
    the namespace and all that is in it.

    Args:
        name: Name of the resource.
        args: What it is told.
        provider: Kubernetes provider of the cluster that it runs on.
        opts: Options of the resource.

    Attributes:
        name: Name of the resource.
        args: What it was told.
        token: Ray's bearer token. Secret.
        namespace: Name of the Namespace; known only once that exists.
        head_service: Name of the head's Service.
        walls: The NetworkPolicies, and what brings the image and what it lacks; no pod may start before them.
        child: Options of all that is in it.
    """

    name: str
    args: RayClusterArgs
    token: pulumi.Output[str]
    namespace: pulumi.Output[str]
    head_service: str
    walls: Sequence[pulumi.Resource]
    child: pulumi.ResourceOptions

    def __init__(
        self,
        name: str,
        args: RayClusterArgs,
        provider: kubernetes.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(RAY_CLUSTER_TYPE, name, None, opts)
        self.name, self.args = name, args
        self.head_service = HEAD_SERVICE
        self.token = ray_token(f"{name}-token", pulumi.ResourceOptions(parent=self))
        # Made before the old one goes, an object that keeps its name would be the old one, and go with it.
        self.child = pulumi.ResourceOptions(parent=self, provider=provider, delete_before_replace=True)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace", **deployments.namespace(args.namespace), opts=self.child
        )
        self.namespace = namespace.metadata.name
        kubernetes.core.v1.Service(
            f"{name}-service", **deployments.head_service(self.namespace), opts=self.child
        )
        registry = self._declare_registry()
        # Policies come first, though k3s enforces them only a moment after a pod has started
        # (https://github.com/k3s-io/k3s/issues/13432).
        policies = network_policies(args.ray.runtime_packages, self.namespace, args.wheels_url)
        self.walls = [
            *args.image,
            *registry,
            *self._declare_packages(),
            *(
                kubernetes.networking.v1.NetworkPolicy(f"{name}-{policy}", **manifest, opts=self.child)
                for policy, manifest in policies.items()
            ),
        ]
        self.register_outputs({"namespace": self.namespace})

    def _declare_registry(self) -> list[pulumi.Resource]:
        """Declare the Secret with which the Nodes get the image, if its registry asks for a password."""
        ray = self.args.ray
        if ray.pull_secret is None:
            return []
        secret = deployments.registry_secret(ray.image, ray.image_source, self.namespace)
        secret["string_data"] = pulumi.Output.secret(secret["string_data"])
        return [kubernetes.core.v1.Secret(f"{self.name}-registry", **secret, opts=self.child)]

    def _declare_packages(self) -> list[pulumi.Resource]:
        """Declare where each Node keeps what the image lacks, if it lacks anything."""
        args = self.args
        if not args.ray.runtime_packages:
            return []
        settings = kubernetes.core.v1.ConfigMap(
            f"{self.name}-packages-settings",
            **packages.settings(args.wheels_url, self.namespace),
            opts=self.child,
        )
        volume = kubernetes.core.v1.PersistentVolume(
            f"{self.name}-packages-volume", **packages.volume(args.namespace, args.arch), opts=self.child
        )
        claim = kubernetes.core.v1.PersistentVolumeClaim(
            f"{self.name}-packages-claim",
            **packages.claim(args.namespace, self.namespace),
            opts=pulumi.ResourceOptions.merge(self.child, pulumi.ResourceOptions(depends_on=[volume])),
        )
        return [settings, volume, claim]

    def content_name(self, name: str) -> pulumi.Output[str]:
        """Return a name that changes with the token, so that pods start anew, and tells nothing of it."""
        return pulumi.Output.unsecret(self.token.apply(lambda token: name_by_content(name, token)))


def declare_deployments(cluster: RayCluster, after: Sequence[pulumi.Resource] = ()) -> None:
    """Declare the pods of the head and of the workers as Deployments, with the token and behind the walls.

    Args:
        cluster: Where they run.
        after: What they wait for besides the walls.
    """
    name, args, child = cluster.name, cluster.args, cluster.child
    secret = kubernetes.core.v1.Secret(
        f"{name}-auth",
        **deployments.token_secret(cluster.content_name(f"{name}-auth"), cluster.namespace, cluster.token),
        opts=child,
    )
    timeouts = pulumi.CustomTimeouts(create=_ROLLOUT_TIMEOUT, update=_ROLLOUT_TIMEOUT)
    opts = pulumi.ResourceOptions.merge(
        child,
        pulumi.ResourceOptions(depends_on=[*cluster.walls, *after], custom_timeouts=timeouts),
    )
    place = (args.arch, cluster.namespace, secret.metadata.name)
    head = deployments.head_deployment(args.ray, *place)
    kubernetes.apps.v1.Deployment(f"{name}-head", **head, opts=opts)
    after_nodes = pulumi.ResourceOptions(depends_on=[*cluster.walls, *after, *args.nodes])
    for group in args.ray.groups:
        kubernetes.apps.v1.Deployment(
            deployments.worker_deployment_name(group),
            **deployments.worker_deployment(args.ray, group, *place),
            opts=pulumi.ResourceOptions.merge(opts, after_nodes),
        )
