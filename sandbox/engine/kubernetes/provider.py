"""The provider of Kubernetes objects, as the program configures it."""

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.engine.provider import Context, Diff
from sandbox.engine.stack.resource import Resource
from sandbox.engine.wire.values import changed_paths, plain, touches


class KubernetesProvider:
    """Resource `pulumi:providers:kubernetes`: nothing but a kubeconfig and the cluster's identity."""

    def check(self, name: str, inputs: dict[str, Any], old: Resource | None) -> dict[str, Any]:
        """Return the inputs as they are."""
        return inputs

    def diff(self, old: Resource, new: Mapping[str, Any], context: Context) -> Diff:
        """Compare the inputs; another kubeconfig is another cluster, unless its identity says otherwise."""
        before = plain(old.inputs)
        paths = list(changed_paths(before, new))
        identity = new.get("clusterIdentifier")
        kept = identity is not None and identity == before.get("clusterIdentifier")
        moved = touches(paths, "kubeconfig") or touches(paths, "clusterIdentifier")
        return Diff(paths, replace=moved and not kept)

    def preview(self, old: Resource | None, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return the inputs."""
        return dict(new)

    def create(self, name: str, new: Mapping[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        """Give the provider an id; nothing is connected yet."""
        return str(uuid.uuid4()), dict(new)

    def update(self, old: Resource, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return the inputs."""
        return dict(new)

    def read(self, old: Resource, context: Context) -> str | None:
        """See no difference: there is nothing outside of the state."""
        return ""

    def delete(self, old: Resource, context: Context) -> None:
        """Do nothing: the cluster stays."""
