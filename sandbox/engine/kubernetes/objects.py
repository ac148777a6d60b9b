"""Kubernetes objects as pulumi-kubernetes 4.34 has them: create or apply, then wait.

https://github.com/pulumi/pulumi-kubernetes/tree/master/provider/pkg/provider
Not here: reads, imports, lists, patches, the comparison with what is on the cluster (inputs
are compared with inputs), and waiting for other kinds than the program has.
"""

import copy
import os
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sandbox.engine.kubernetes.api import Api, ApiError, UnreachableError, object_path
from sandbox.engine.kubernetes.waits import NotReadyError, is_ready, wait_until_gone, wait_until_ready
from sandbox.engine.provider import Context, Diff, PartialError, ProviderError
from sandbox.engine.stack.resource import Resource
from sandbox.engine.wire.marks import UNKNOWN
from sandbox.engine.wire.values import changed_paths, has_unknown, is_secret, plain, touches

_AUTONAMED = "pulumi.com/autonamed"
_REPLACE_UNREADY = "pulumi.com/replaceUnready"
_MANAGER = "__fieldManager"
_PATCH_FORCE = "pulumi.com/patchForce"
_PATCH_MANAGER = "pulumi.com/patchFieldManager"
# Inputs of the provider.
_UPSERT = "upsertExistingObjects"
_FORCE = "enablePatchForce"
# The field manager of every create; the first update hands it over to one of the object's own.
_CREATOR = "pulumi-kubernetes"
_DELETE_UNREACHABLE = "PULUMI_K8S_DELETE_UNREACHABLE"
_TIMEOUT_S = 600.0
# In a preview: the namespace may still be to come, and an object of the same name still to go.
_STILL_TO_COME = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

# provider/pkg/provider/diff.go, the kinds that the program uses.
_FORCES_REPLACEMENT = {
    "ConfigMap": ("binaryData", "data"),
    "Secret": ("type", "stringData", "data"),
    "Deployment": ("spec.selector",),
    "Job": ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    "Service": ("spec.clusterIP",),
}


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
        """Compare inputs with inputs; some kinds cannot be updated, and a Job may have to be made anew."""
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

    def preview(self, old: Resource | None, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Ask the cluster what would come of it; the inputs if it cannot be asked."""
        if has_unknown(new) or has_unknown(context.provider_inputs):
            return dict(new)
        manager = _manager(old, new)
        try:
            api = _api(context)
            if old is not None:
                created = any(_is_of_creation(one) for one in _managers(api.get(object_path(new)) or {}))
                live = api.apply(new, manager, dry_run=True, force=created or _forces(new, context))
            elif _says(context, _UPSERT):
                # What is there may be what a replacement is to remove.
                live = api.apply(new, manager, dry_run=True, force=True)
            else:
                live = api.create(new, _CREATOR, dry_run=True)
        except UnreachableError:
            return dict(new)
        except ApiError as error:
            if error.status == HTTPStatus.FORBIDDEN or (old is None and error.status in _STILL_TO_COME):
                return dict(new)
            said = _not_created(context, error) if old is None else _not_live(new, error)
            raise ProviderError(f"Preview failed: {said}") from error
        live.pop("status", None)
        return _outputs(live, manager)

    def create(self, name: str, new: Mapping[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        """Create the object, or take over the one that is there if the provider may; wait until it works."""
        api = _api(context)
        manager = _manager(None, new)
        try:
            live = _create_in_namespace(api, new, manager, context)
        except UnreachableError as error:
            raise ProviderError(f"configured Kubernetes cluster is unreachable: {error}") from error
        except ApiError as error:
            raise ProviderError(_not_created(context, error)) from error
        return _id(new), self._wait(api, live, new, manager, context)

    def update(self, old: Resource, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Apply the object, whose fields are the program's from then on, and wait until it works."""
        api, manager = _api(context), _manager(old, new)
        live: dict[str, Any] | None = None
        try:
            live = api.get(object_path(new))
            if live is None:
                raise ProviderError(f'{new["kind"]} "{_id(new)}" not found')
            _take_over(api, live, manager)
            live = api.apply(new, manager, force=_forces(new, context))
        except UnreachableError as error:
            raise ProviderError(f"configured Kubernetes cluster is unreachable: {error}") from error
        except ApiError as error:
            if live is None:
                raise ProviderError(f"update of resource {context.urn!r} failed: {error}") from error
            raise PartialError(_not_live(new, error), _id(new), _outputs(live, manager)) from error
        return self._wait(api, live, new, manager, context)

    def read(self, old: Resource, context: Context) -> str | None:
        """Compare the object with what applying the recorded inputs would make of it."""
        inputs = plain(old.inputs)
        try:
            api = _api(context)
            live = api.get(object_path(inputs))
            if live is None:
                return None
            applied = api.apply(inputs, _manager(old, inputs), dry_run=True, force=True)
        except (ApiError, UnreachableError) as error:
            raise ProviderError(f"failed to read resource state: {error}") from error
        return "" if _without_marks(live) == _without_marks(applied) else "it is not as it was made"

    def delete(self, old: Resource, context: Context) -> None:
        """Delete the object after all that it owns, and wait until it is gone."""
        inputs = plain(old.inputs)
        path = object_path(inputs)
        try:
            api = _api(context)
            if api.delete(path):
                wait_until_gone(api, path, context.timeout_s or _TIMEOUT_S, context.cancelled)
        except UnreachableError as error:
            if os.environ.get(_DELETE_UNREACHABLE) == "true":
                return
            raise ProviderError(
                "configured Kubernetes cluster is unreachable. If the cluster was deleted, you can remove "
                "this resource from Pulumi state by rerunning the operation with the "
                f'{_DELETE_UNREACHABLE} environment variable set to "true"'
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
                _not_live(new, error),
                _id(new),
                _outputs(api.get_or(object_path(new), live), manager),
            ) from error
        return _outputs(live, manager)


def _api(context: Context) -> Api:
    kubeconfig = context.provider_inputs.get("kubeconfig")
    if not kubeconfig or kubeconfig == UNKNOWN:
        raise ProviderError("the test engine needs a provider with the contents of a kubeconfig")
    return Api(kubeconfig)


def _create_in_namespace(api: Api, new: Mapping[str, Any], manager: str, context: Context) -> dict[str, Any]:
    """Create, again after a while if the namespace is not there yet."""

    def create() -> dict[str, Any]:
        if _says(context, _UPSERT):
            return api.apply(new, manager, force=_forces(new, context))
        return api.create(new, _CREATOR)

    for delay_s in (1, 2, 4, 8, 16):
        try:
            return create()
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND or context.cancelled.wait(delay_s):
                raise
    return create()


def _forces(new: Mapping[str, Any], context: Context) -> bool:
    """Say whether fields that others have set are the program's again."""
    return _annotations(new).get(_PATCH_FORCE) == "true" or _says(context, _FORCE)


def _says(context: Context, key: str) -> bool:
    return str(context.provider_inputs.get(key)).lower() == "true"


def _take_over(api: Api, live: Mapping[str, Any], manager: str) -> None:
    """Make what the create has set the field manager's own: only then can an apply take it away."""
    managers = _managers(live)
    if any(_is_of_creation(one) for one in managers):
        mine = {"manager": manager, "operation": "Apply"}
        changed = [{**one, **mine} if _is_of_creation(one) else one for one in managers]
        api.replace_managers(object_path(live), live["metadata"]["resourceVersion"], changed)


def _managers(live: Mapping[str, Any]) -> list[dict[str, Any]]:
    return live.get("metadata", {}).get("managedFields") or []


def _is_of_creation(entry: Mapping[str, Any]) -> bool:
    return (entry["manager"], entry["operation"]) == (_CREATOR, "Update")


def _manager(old: Resource | None, new: Mapping[str, Any]) -> str:
    if named := _annotations(new).get(_PATCH_MANAGER):
        return str(named)
    kept = plain(old.outputs.get(_MANAGER)) if old else None
    return str(kept) if kept else f"{_CREATOR}-{secrets.token_hex(4)}"


def _not_created(context: Context, error: ApiError) -> str:
    return f'resource "{context.urn}" was not successfully created by the Kubernetes API server: {error}'


def _not_live(inputs: Mapping[str, Any], error: Exception) -> str:
    return (
        f'the Kubernetes API server reported that "{_id(inputs)}" failed to fully initialize or become '
        f"live: {error}"
    )


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


def _without_marks(live: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what every change of it changes."""
    marks = ("managedFields", "resourceVersion", "generation")
    metadata = {key: value for key, value in live["metadata"].items() if key not in marks}
    return {**live, "metadata": metadata}


def _outputs(live: dict[str, Any], manager: str) -> dict[str, Any]:
    outputs = copy.deepcopy(live)
    outputs["metadata"].pop("managedFields", None)
    return {**outputs, _MANAGER: manager}
