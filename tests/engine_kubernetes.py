"""Kubernetes objects and their provider, as pulumi-kubernetes 4.34 has them: server-side apply, then waiting.

https://github.com/pulumi/pulumi-kubernetes/tree/master/provider/pkg/provider
Not here: reads, imports, lists, patches, CustomResources, the comparison with what is on the cluster (inputs
are compared with inputs), and waiting for other kinds than the program has.
"""

import copy
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from tests.engine_kubernetes_api import Api, ApiError, UnreachableError, object_path
from tests.engine_kubernetes_waits import NotReadyError, is_ready, wait_until_gone, wait_until_ready
from tests.engine_provider import Context, Diff, PartialError, ProviderError
from tests.engine_state import Resource
from tests.engine_values import changed_paths, has_unknown, is_secret, plain, touches
from tests.program import UNKNOWN

_AUTONAMED = "pulumi.com/autonamed"
_REPLACE_UNREADY = "pulumi.com/replaceUnready"
_MANAGER = "__fieldManager"
_TIMEOUT_S = 600.0

# provider/pkg/provider/diff.go, the kinds that the program uses.
_FORCES_REPLACEMENT = {
    "ConfigMap": ("binaryData", "data"),
    "Secret": ("type", "stringData", "data"),
    "Deployment": ("spec.selector",),
    "Job": ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    "Service": ("spec.clusterIP",),
}


class KubernetesProvider:
    """Resource `pulumi:providers:kubernetes`: nothing but a kubeconfig and the cluster's identity."""

    def check(self, name: str, inputs: dict[str, Any], old: Resource | None) -> dict[str, Any]:
        return inputs

    def diff(self, old: Resource, new: Mapping[str, Any], context: Context) -> Diff:
        before = plain(old.inputs)
        paths = list(changed_paths(before, new))
        identity = new.get("clusterIdentifier")
        kept = identity is not None and identity == before.get("clusterIdentifier")
        moved = touches(paths, "kubeconfig") or touches(paths, "clusterIdentifier")
        return Diff(paths, replace=moved and not kept)

    def preview(self, old: Resource | None, new: Mapping[str, Any]) -> dict[str, Any]:
        return dict(new)

    def create(self, name: str, new: Mapping[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        return str(uuid.uuid4()), dict(new)

    def update(self, old: Resource, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        return dict(new)

    def delete(self, old: Resource, context: Context) -> None:
        pass


class KubernetesObject:
    """Resources `kubernetes:…`."""

    def check(self, name: str, inputs: dict[str, Any], old: Resource | None) -> dict[str, Any]:
        """Give the object a name of its own, or the one that it has got before, if the program gives none."""
        metadata = inputs.get("metadata") or {}
        if is_secret(metadata) or "name" in metadata:
            return inputs
        before = plain(old.inputs).get("metadata", {}) if old else {}
        kept = before.get("name") if before.get("annotations", {}).get(_AUTONAMED) else None
        annotations = {**(metadata.get("annotations") or {}), _AUTONAMED: "true"}
        named = {**metadata, "name": kept or f"{name}-{secrets.token_hex(4)}", "annotations": annotations}
        return {**inputs, "metadata": named}

    def diff(self, old: Resource, new: Mapping[str, Any], context: Context) -> Diff:
        before = plain(old.inputs)
        paths = list(changed_paths(before, new))
        forcing = ("metadata.name", "metadata.namespace", *_FORCES_REPLACEMENT.get(new["kind"], ()))
        replace = any(touches(paths, pattern) for pattern in forcing)
        if _annotations(new).get(_REPLACE_UNREADY) == "true" and not _is_ready_now(before, context):
            paths.append(("metadata", "annotations", _REPLACE_UNREADY))
            replace = True
        same_place = all(
            new["metadata"].get(key) == before["metadata"].get(key) for key in ("name", "namespace")
        )
        autonamed = _AUTONAMED in _annotations(new)
        return Diff(paths, replace=replace, delete_first=replace and same_place and not autonamed)

    def preview(self, old: Resource | None, new: Mapping[str, Any]) -> dict[str, Any]:
        # As the provider where it cannot ask the cluster: the inputs, all else unknown.
        return dict(new)

    def create(self, name: str, new: Mapping[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        api = _api(context)
        path = object_path(new)
        with _one_line(f"resource {name!r} was not successfully created by the Kubernetes API server"):
            if api.get(path) is not None:
                kind = f"{new['kind'].lower()}s"
                raise ProviderError(f'{kind} "{new["metadata"]["name"]}" already exists')
            manager = f"pulumi-kubernetes-{secrets.token_hex(4)}"
            live = _apply_in_namespace(api, new, manager, context)
        return _id(new), self._wait(api, live, new, manager, context)

    def update(self, old: Resource, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        api = _api(context)
        manager = plain(old.outputs.get(_MANAGER)) or f"pulumi-kubernetes-{secrets.token_hex(4)}"
        with _one_line(f"update of resource {old.name!r} failed"):
            if api.get(object_path(new)) is None:
                raise ProviderError(f'{new["kind"]} "{_id(new)}" not found')
            live = api.apply(object_path(new), new, manager)
        return self._wait(api, live, new, manager, context)

    def delete(self, old: Resource, context: Context) -> None:
        inputs = plain(old.inputs)
        path = object_path(inputs)
        try:
            api = _api(context)
            if api.delete(path):
                wait_until_gone(api, path, context.timeout_s or _TIMEOUT_S, context.cancelled)
        except UnreachableError as error:
            raise ProviderError(
                f"configured Kubernetes cluster is unreachable ({error}). If the cluster was deleted, you "
                "can remove this resource from the state with `pulumi state delete URN`"
            ) from error
        except (ApiError, NotReadyError) as error:
            raise ProviderError(f"{inputs['kind']} {_id(inputs)!r} cannot be deleted: {error}") from error

    @staticmethod
    def _wait(
        api: Api, live: dict[str, Any], new: Mapping[str, Any], manager: str, context: Context
    ) -> dict[str, Any]:
        try:
            live = wait_until_ready(api, live, context.timeout_s or _TIMEOUT_S, context.cancelled)
        except (NotReadyError, ApiError, UnreachableError) as error:
            raise PartialError(
                f'the Kubernetes API server reported that "{_id(new)}" failed to fully initialize or become '
                f"live: {error}",
                _id(new),
                _outputs(api.get_or(object_path(new), live), manager),
            ) from error
        return _outputs(live, manager)


class _one_line:  # noqa: N801 — a context manager, used as a function
    """Turns errors of the API into one line for the user."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnreachableError):
            raise ProviderError(f"configured Kubernetes cluster is unreachable: {error}") from error
        if isinstance(error, ApiError | ProviderError):
            raise ProviderError(f"{self.prefix}: {error}") from error


def _api(context: Context) -> Api:
    kubeconfig = context.provider_inputs.get("kubeconfig")
    if not kubeconfig or kubeconfig == UNKNOWN:
        raise ProviderError("the test engine needs a provider with the contents of a kubeconfig")
    return Api(kubeconfig)


def _apply_in_namespace(api: Api, new: Mapping[str, Any], manager: str, context: Context) -> dict[str, Any]:
    """Apply, again after a while if the namespace is not there yet."""
    for delay_s in (1, 2, 4, 8, 16):
        try:
            return api.apply(object_path(new), new, manager)
        except ApiError as error:
            if error.status != 404 or context.cancelled.wait(delay_s):
                raise
    return api.apply(object_path(new), new, manager)


def _is_ready_now(inputs: Mapping[str, Any], context: Context) -> bool:
    """Say whether a Job works; one that nobody can be asked about is left alone."""
    if has_unknown(context.provider_inputs):
        return True
    try:
        live = _api(context).get(object_path(inputs))
    except (ProviderError, UnreachableError, ApiError):
        return True
    return live is None or is_ready(live)


def _annotations(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return inputs["metadata"].get("annotations") or {}


def _id(inputs: Mapping[str, Any]) -> str:
    metadata = inputs["metadata"]
    return "/".join(filter(None, [metadata.get("namespace"), metadata["name"]]))


def _outputs(live: dict[str, Any], manager: str) -> dict[str, Any]:
    outputs = copy.deepcopy(live)
    outputs["metadata"].pop("managedFields", None)
    return {**outputs, _MANAGER: manager}
