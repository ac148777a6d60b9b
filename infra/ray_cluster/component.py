"""A Ray cluster on Kubernetes: a namespace, the token, a head, workers, and the walls around them."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra.config.load import StackConfig
from infra.names import HEAD_SERVICE, RAY_CLUSTER_TYPE
from infra.ray_cluster import deployments
from infra.ray_cluster.container import TOKEN_KEY
from infra.ray_cluster.network_policies import network_policies
from infra.ray_token import ray_token

# Longer than the Deployments' own deadline, so that it is Kubernetes that says what is wrong.
_ROLLOUT_TIMEOUT = "45m"


class RayCluster(pulumi.ComponentResource):
    """Ray in a namespace of its own.

    After `up` a head and the workers run, each asking for the token, reachable only through a port-forward.
    `destroy` removes the namespace and all that is in it.

    Attributes:
        token: Ray's bearer token. Secret.
        namespace: Name of the Namespace; known only once that exists.
        head_service: Name of the head's Service.
    """

    token: pulumi.Output[str]
    namespace: pulumi.Output[str]
    head_service: str

    def __init__(
        self,
        name: str,
        config: StackConfig,
        provider: kubernetes.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(RAY_CLUSTER_TYPE, name, None, opts)
        self.head_service = HEAD_SERVICE
        self.token = ray_token(f"{name}-token", pulumi.ResourceOptions(parent=self))
        child = pulumi.ResourceOptions(parent=self, provider=provider)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace", **deployments.namespace(config), opts=child
        )
        self.namespace = namespace.metadata.name
        secret = kubernetes.core.v1.Secret(
            f"{name}-auth",
            metadata={"namespace": self.namespace, "labels": deployments.HEAD_LABELS},
            string_data={TOKEN_KEY: self.token},
            opts=child,
        )
        kubernetes.core.v1.Service(f"{name}-service", **deployments.head_service(self.namespace), opts=child)
        policies = [
            kubernetes.networking.v1.NetworkPolicy(f"{name}-{policy}", **policy_manifest, opts=child)
            for policy, policy_manifest in network_policies(config, self.namespace).items()
        ]
        # Policies come first, though k3s enforces them only a moment after a pod has started
        # (https://github.com/k3s-io/k3s/issues/13432). Workers do not wait for the head, so that all hosts
        # pull their images at the same time.
        pods = pulumi.ResourceOptions.merge(
            child,
            pulumi.ResourceOptions(
                depends_on=policies,
                custom_timeouts=pulumi.CustomTimeouts(create=_ROLLOUT_TIMEOUT, update=_ROLLOUT_TIMEOUT),
            ),
        )
        token_secret = secret.metadata.name
        kubernetes.apps.v1.Deployment(
            f"{name}-head", **deployments.head_deployment(config, self.namespace, token_secret), opts=pods
        )
        kubernetes.apps.v1.Deployment(
            f"{name}-worker", **deployments.worker_deployment(config, self.namespace, token_secret), opts=pods
        )
        self.register_outputs({"namespace": self.namespace})
