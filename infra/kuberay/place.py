"""Where custom resources are declared, and the steps around each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_command import local

from infra.kuberay.command import Step, step_command
from infra.kuberay.manifests.operator import NAME as OPERATOR
from infra.kuberay.removal import Operator
from infra.kuberay.task import Task
from infra.names import KUBERAY_NAMESPACE
from infra.objects.metadata import name_by_content
from infra.ray_cluster.component import RayCluster

# With an operator that does not answer, and pods that are slow to go.
_REMOVAL_LIMIT_S = 300


def empty_task(**values: Any) -> Task:
    """Return a Task without the kubeconfig and the Namespace, which become known later."""
    return Task(kubeconfig="", namespace="", operator=Operator(KUBERAY_NAMESPACE, OPERATOR), **values)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where custom resources are declared.

    Attributes:
        cluster: Where Ray runs; the parent of all of them.
        kubeconfig: How to reach the cluster. Secret.
        provider: Kubernetes provider that knows their definitions.
        before: What works before any of them is made.
        token_mark: What changes with Ray's token, and tells nothing of it.
    """

    cluster: RayCluster
    kubeconfig: pulumi.Output[str]
    provider: kubernetes.Provider
    before: Sequence[pulumi.Resource]
    token_mark: pulumi.Output[str]

    def after(self, *resources: pulumi.Resource) -> "Place":
        """Return the same place, where something else works before, too."""
        return replace(self, before=[*self.before, *resources])

    def step(self, name: str, step: Step, *after: pulumi.Resource) -> local.Command:
        """Declare a step of this place."""
        opts = pulumi.ResourceOptions(parent=self.cluster, depends_on=[*self.before, *after])
        return step_command(name, step, self.kubeconfig, self.cluster.namespace, opts)

    def resource(
        self, name: str, manifest: Mapping[str, Any], *, replace_on: Sequence[str] = ()
    ) -> kubernetes.apiextensions.CustomResource:
        """Declare a custom resource; the steps around it wait for it, so Pulumi does not.

        Args:
            name: Name of the Pulumi resource.
            manifest: With api_version, kind, metadata and spec.
            replace_on: Paths whose change makes it anew, the old one gone before.
        """
        opts = pulumi.ResourceOptions(
            provider=self.provider,
            depends_on=self.before,
            replace_on_changes=list(replace_on),
        )
        return kubernetes.apiextensions.CustomResource(
            name, **manifest, opts=pulumi.ResourceOptions.merge(self.cluster.child, opts)
        )

    def guard(self, declared: pulumi.Resource, name: str, manifest: Mapping[str, Any]) -> local.Command:
        """Declare what removes a resource with a finalizer, since without an operator nobody else does.

        It does nothing at `up`, and so is there even if the resource never becomes what was asked for.
        """
        task = empty_task(kind=manifest["kind"], name=manifest["metadata"]["name"])
        step = Step(task=task, delete="remove", limit_s=_REMOVAL_LIMIT_S)
        return self.step(f"{name}-guard", step, declared)

    def ready(
        self,
        declared: pulumi.Resource,
        name: str,
        manifest: Mapping[str, Any],
        step: Step,
        revision: pulumi.Input[str] = "",
    ) -> local.Command:
        """Declare the wait for a resource, once for each change of it.

        Args:
            declared: The resource.
            name: Name of the Pulumi resource.
            manifest: Its manifest with all that is known beforehand.
            step: For how long, and for what.
            revision: What its pods have in their annotation when they are as declared.
        """
        task = replace(
            step.task,
            kind=manifest["kind"],
            name=manifest["metadata"]["name"],
            limit_s=step.limit_s,
            declared=name_by_content("spec", manifest["spec"]),
        )
        waiting = replace(step, task=task, create="await", revision=revision)
        return self.step(f"{name}-ready", waiting, declared)
