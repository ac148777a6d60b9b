"""Decides the steps of each resource that the program registers, and performs them.

Semantics of https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step_generator.go
"""

import dataclasses
import re
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from sandbox.engine.command.provider import Command
from sandbox.engine.kubernetes.objects import KubernetesObject
from sandbox.engine.kubernetes.provider import KubernetesProvider
from sandbox.engine.provider import Context, Diff, PartialError, Provider, ProviderError
from sandbox.engine.stack.resource import Resource
from sandbox.engine.steps.order import dependents_to_replace, free_to_go
from sandbox.engine.steps.run import Run, StoppedError
from sandbox.engine.wire.marks import UNKNOWN
from sandbox.engine.wire.values import plain, touches

PARALLEL = 32

_PROVIDERS: dict[str, Provider] = {
    r"command:(local|remote):Command": Command(),
    r"pulumi:providers:kubernetes": KubernetesProvider(),
    r"kubernetes:.*": KubernetesObject(),
}


class Deployment:
    """What one run does to each resource, from any number of threads.

    Args:
        run: The run.
        replace: URNs of resources that are to be replaced, changed or not.
    """

    def __init__(self, run: Run, replace: Collection[str] = ()) -> None:
        self._run = run
        self._replace = replace
        self._registered: set[str] = set()

    def register(self, goal: Resource) -> Resource:
        """Bring one resource into the state that the program wants; return it with id and outputs.

        Raises:
            StoppedError: If that failed, or nothing is begun any more.
        """
        with self._run.changed:
            if goal.urn in self._registered:
                self._run.stop(f"Duplicate resource URN {goal.urn!r}; try giving it a unique name", goal)
            self._registered.add(goal.urn)
            old = self._run.state.live(goal.urn)
        if not goal.custom:
            return self._register_component(goal, old)
        self._run.refuse_leaks(goal)
        provider = self._provider(goal)
        wanted = goal.inputs
        goal.inputs = provider.check(goal.name, wanted, old)
        if old is None:
            return self._create("create", goal, None)
        if self._is_blind(goal):
            return self._assume_update(goal, old)
        diff = self._diff(goal, old)
        if old.pending_replacement or diff.replace:
            goal.inputs = provider.check(goal.name, wanted, None)
            return self._replace_resource(goal, old, diff)
        if diff.paths or old.init_errors:
            return self._update(goal, old)
        goal.id, goal.outputs = old.id, old.outputs
        with self._run.step("same", goal, performs=False):
            self._run.put(goal)
        return goal

    def refresh(self) -> None:
        """Look at what has become of the resources: what is gone is forgotten, what differs is updated later.

        Raises:
            StoppedError: If that cannot be seen.
        """
        for resource in [one for one in self._run.state.resources if one.custom and not one.delete]:
            try:
                changes = self._provider(resource).read(resource, self._run.context(resource, "read"))
            except ProviderError as error:
                self._run.stop(str(error), resource)
            with self._run.changed:
                if changes is None:
                    self._run.state.remove(resource)
                elif changes:
                    # Pulumi records what is there and then finds it different from the program.
                    resource.init_errors = [changes]

    def delete_the_rest(self) -> None:
        """Delete all that was replaced or not registered: dependents first, independent ones side by side.

        Raises:
            StoppedError: If something could not be deleted, or nothing is begun any more.
        """
        stopped = self._run.stopped
        left = [one for one in self._run.state.resources if one.delete or one.urn not in self._registered]
        running: dict[Future[None], Resource] = {}
        with ThreadPoolExecutor(PARALLEL) as pool:
            while left and (running or not stopped.is_set()):
                for one in [] if stopped.is_set() else free_to_go(left):
                    if one not in running.values():
                        running[pool.submit(self._delete, one)] = one
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    one = running.pop(future)
                    # Anything but StoppedError is a mistake of this engine's and is to be seen.
                    if not isinstance(future.exception(), StoppedError):
                        future.result()
                        left.remove(one)
        if stopped.is_set():
            raise StoppedError

    def _register_component(self, goal: Resource, old: Resource | None) -> Resource:
        if old is not None:
            goal.outputs = old.outputs
        changed = old is not None and plain(old.inputs) != plain(goal.inputs)
        operation = "create" if old is None else "update" if changed else "same"
        with self._run.step(operation, goal, performs=False):
            self._run.put(goal)
        return goal

    def _replace_resource(self, goal: Resource, old: Resource, diff: Diff) -> Resource:
        delete_first = diff.delete_first if goal.delete_before_replace is None else goal.delete_before_replace
        if old.pending_replacement or delete_first:
            if not old.pending_replacement:
                with self._run.changed:
                    there, registered = list(self._run.state.resources), set(self._registered)
                for dependent in dependents_to_replace(old, there, registered, self._must_replace):
                    self._delete(dependent, to_be_replaced=True)
                self._delete(old, to_be_replaced=True)
            with self._run.step("replace", goal, performs=False):
                pass
            return self._create("create-replacement", goal, None)
        done = self._create("create-replacement", goal, old)
        with self._run.step("replace", goal, performs=False):
            pass
        return done

    def _diff(self, goal: Resource, old: Resource) -> Diff:
        context = self._run.context(goal, "create")
        diff = self._provider(goal).diff(old, plain(goal.inputs), context)
        forced = goal.urn in self._replace or old.taint or goal.provider != old.provider
        return dataclasses.replace(diff, replace=diff.replace or _asked(goal, diff) or forced)

    def _is_blind(self, goal: Resource) -> bool:
        """Say whether a preview cannot compare: what the resource's provider is told is not known yet."""
        told = self._run.context(goal, "update").provider_inputs
        return self._run.preview and UNKNOWN in told.values()

    def _assume_update(self, goal: Resource, old: Resource) -> Resource:
        """Plan an update of which nothing is known: DiffUnavailable in Pulumi's step_generator.go."""
        goal.id = old.id
        return self._perform("update", goal, dict)

    def _must_replace(self, resource: Resource, doubtful: set[str]) -> bool:
        inputs = {**plain(resource.inputs), **dict.fromkeys(doubtful, UNKNOWN)}
        try:
            diff = self._provider(resource).diff(resource, inputs, Context())
        except (TypeError, KeyError, AttributeError):
            # An object whose metadata are unknown has no name to compare.
            return True
        return diff.replace or _asked(resource, diff)

    def _create(self, operation: str, goal: Resource, replaced: Resource | None) -> Resource:
        provider, inputs = self._provider(goal), plain(goal.inputs)

        def perform() -> dict[str, Any]:
            if self._run.preview:
                return provider.preview(None, inputs, self._run.context(goal, "create"))
            goal.id, outputs = provider.create(goal.name, inputs, self._run.context(goal, "create"))
            return outputs

        return self._perform(operation, goal, perform, replaced)

    def _update(self, goal: Resource, old: Resource) -> Resource:
        provider, inputs = self._provider(goal), plain(goal.inputs)
        goal.id = old.id

        def perform() -> dict[str, Any]:
            if self._run.preview:
                return provider.preview(old, inputs, self._run.context(goal, "update"))
            return provider.update(old, inputs, self._run.context(goal, "update"))

        return self._perform("update", goal, perform)

    def _perform(
        self,
        operation: str,
        goal: Resource,
        perform: Callable[[], dict[str, Any]],
        replaced: Resource | None = None,
    ) -> Resource:
        with self._run.step(operation, goal):
            try:
                with self._run.performing(operation, goal):
                    outputs = perform()
            except PartialError as error:
                goal.id, goal.init_errors = error.id, [str(error)]
                self._run.put(goal, error.outputs, replaced)
                raise
            self._run.put(goal, outputs, replaced)
        return goal

    def _delete(self, resource: Resource, *, to_be_replaced: bool = False) -> None:
        operation = "delete-replaced" if to_be_replaced or resource.delete else "delete"
        if resource.pending_replacement:
            operation = "remove-pending-replace"
        performs = resource.custom and not resource.pending_replacement
        with self._run.step(operation, resource, performs=performs):
            if performs and not self._run.preview:
                with self._run.performing(operation, resource):
                    self._provider(resource).delete(resource, self._run.context(resource, "delete"))
            with self._run.changed:
                if to_be_replaced:
                    resource.pending_replacement = True
                else:
                    self._run.state.remove(resource)

    def _provider(self, resource: Resource) -> Provider:
        for pattern, provider in _PROVIDERS.items():
            if re.fullmatch(pattern, resource.type):
                return provider
        self._run.stop(f"the test engine cannot perform resources of type {resource.type}", resource)
        raise StoppedError


def _asked(resource: Resource, diff: Diff) -> bool:
    """Say whether the resource's own options want it replaced for what has changed."""
    return any(touches(diff.paths, pattern) for pattern in resource.replace_on_changes)
