"""The KubeRay operator as a component: what it needs to run, and what it may do."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from infra.config.ray import OperatorConfig
from infra.kuberay.manifests import operator as manifests
from infra.kuberay.manifests.roles import leading_role, role_binding, watching_role
from infra.names import KUBERAY_TYPE

_ROLLOUT_TIMEOUT = "20m"


@dataclass(frozen=True, kw_only=True)
class KubeRayOperatorArgs:
    """What the operator is told.

    Attributes:
        operator: Image, memory, CPU and feature gates.
        namespace: Name of the Namespace that is made for it.
        watched: Name of the Namespace that it looks after, and no other one.
        arch: "arm64" or "amd64", which its node must have.
        servers: IP addresses of the API servers.
        ports: Ports of Ray pods that it asks.
    """

    operator: OperatorConfig
    namespace: str
    watched: pulumi.Input[str]
    arch: str
    servers: Sequence[str]
    ports: Sequence[int]


class KubeRayOperator(pulumi.ComponentResource):
    """The operator in a namespace of its own, with Roles in that and in the one that it looks after.

    Args:
        name: Name of the resource.
        args: What it is told.
        provider: Kubernetes provider of the cluster that it runs on.
        opts: Options of the resource; what it depends on, its Deployment waits for.

    Attributes:
        deployment: What there is when the operator works.
        namespace: Name of its Namespace; known only once that exists.
    """

    deployment: kubernetes.apps.v1.Deployment
    namespace: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: KubeRayOperatorArgs,
        provider: kubernetes.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(KUBERAY_TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self, provider=provider, delete_before_replace=True)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace", **manifests.operator_namespace(args.namespace), opts=child
        )
        self.namespace = namespace.metadata.name
        before = [*self._account(name, args, child), *self._walls(name, args, child)]
        after = opts.depends_on if opts else None
        waits = pulumi.ResourceOptions(
            depends_on=before,
            custom_timeouts=pulumi.CustomTimeouts(create=_ROLLOUT_TIMEOUT, update=_ROLLOUT_TIMEOUT),
        )
        waits = pulumi.ResourceOptions.merge(waits, pulumi.ResourceOptions(depends_on=after))
        watched = [pulumi.Output.from_input(args.watched)]
        arguments = pulumi.Output.all(*watched).apply(
            lambda known: manifests.operator_arguments(args.operator.feature_gates, known)
        )
        deployment = manifests.operator_deployment(args.operator, args.arch, self.namespace, arguments)
        self.deployment = kubernetes.apps.v1.Deployment(
            f"{name}-operator", **deployment, opts=pulumi.ResourceOptions.merge(child, waits)
        )
        self.register_outputs({"namespace": self.namespace})

    def _account(
        self, name: str, args: KubeRayOperatorArgs, child: pulumi.ResourceOptions
    ) -> list[pulumi.Resource]:
        account = kubernetes.core.v1.ServiceAccount(
            f"{name}-account", **manifests.service_account(self.namespace), opts=child
        )
        rbac = kubernetes.rbac.v1
        made: list[pulumi.Resource] = [account]
        for what, role, place in (
            ("leading", leading_role(self.namespace), self.namespace),
            ("watching", watching_role(args.watched), args.watched),
        ):
            made.append(rbac.Role(f"{name}-{what}-role", **role, opts=child))
            binding = role_binding(place, self.namespace)
            made.append(rbac.RoleBinding(f"{name}-{what}-binding", **binding, opts=child))
        return made

    def _walls(
        self, name: str, args: KubeRayOperatorArgs, child: pulumi.ResourceOptions
    ) -> list[pulumi.Resource]:
        policies = manifests.operator_policies(args.servers, self.namespace, [args.watched], args.ports)
        return [
            kubernetes.networking.v1.NetworkPolicy(f"{name}-{policy}", **manifest, opts=child)
            for policy, manifest in policies.items()
        ]
