"""What all steps of one run of the test engine share: the state, the report, and the wish to stop."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from threading import Condition, Event
from typing import Any

from sandbox.engine.provider import Context, ProviderError
from sandbox.engine.stack.resource import STACK_TYPE, Resource
from sandbox.engine.stack.state import PendingOperation, State
from sandbox.engine.steps.cut import Cut
from sandbox.engine.steps.events import Events
from sandbox.engine.wire.values import open_texts, plain, with_secrets


class StoppedError(Exception):
    """Nothing more is begun: a step has failed, or the user has interrupted the run."""


class Run:
    """Steps from any number of threads, each noted while it runs and saved when it has ended.

    Args:
        state: What is there; saved after each step, unless this is a preview.
        events: Who is told of the steps.
        preview: Whether nothing is performed and nothing saved.

    Attributes:
        cancelled: Set when the user has interrupted the run.
        stopped: Set when nothing more is to be begun.
        changed: Guards the state, and is notified when a step has ended.
    """

    def __init__(self, state: State, events: Events, *, preview: bool = False) -> None:
        self.state = state
        self.events = events
        self.preview = preview
        self.cancelled = Event()
        self.stopped = Event()
        self.changed = Condition()
        self._running = 0
        self._cut = Cut() if preview else Cut.of(os.environ)
        if self._cut.action == "remove" and all(one.name != self._cut.name for one in state.resources):
            self._cut.missed.set()
        self._stack_outputs: tuple[Resource, dict[str, Any]] | None = None

    def warn_of_interrupted(self) -> None:
        """Name the operations whose end an earlier run has not seen; only creates stay on record."""
        pending = self.state.pending_operations
        if pending and not self.preview:
            lines = [f"  * {one.resource.urn}, interrupted while {one.type}" for one in pending]
            count = f"with {len(pending)} pending operations from previous deployment."
            self.events.diagnose(
                "\n".join([f"Attempting to deploy or update resources {count}", *lines]), severity="warning"
            )
            self.state.pending_operations = [one for one in pending if one.type == "creating"]

    @contextmanager
    def step(self, operation: str, resource: Resource, *, performs: bool = True) -> Iterator[None]:
        """Make the block a step; if it fails, the run is stopped.

        Args:
            operation: Pulumi's word for it.
            resource: What it is about.
            performs: Whether it does anything outside of the state.

        Raises:
            StoppedError: If it failed, or nothing is begun any more.
        """
        pending = PendingOperation(_pending_type(operation), resource)
        if performs:
            self._cut.hold(resource.name)
        with self.changed:
            if self.stopped.is_set():
                raise StoppedError
            if performs:
                self.state.pending_operations.append(pending)
                self._save()
            self._running += 1
        begun = self.events.begin(operation, resource)
        try:
            if performs:
                self._cut.before(operation, resource.name)
            yield
            self.events.end(operation, resource, begun)
        except ProviderError as error:
            self.begin_nothing()
            self.events.fail(operation, resource, str(error))
            raise StoppedError from error
        except BaseException:
            self.begin_nothing()
            raise
        finally:
            with self.changed:
                self._running -= 1
                self.changed.notify_all()
                if performs:
                    self.state.pending_operations.remove(pending)
                self._save()
        self._cut.after(operation, resource.name)

    def performing(self, operation: str, resource: Resource) -> AbstractContextManager[None]:
        """Return what is around the part of a step that happens outside of the state; a cut may end it."""
        return self._cut.during(operation, resource.name)

    def put(
        self, goal: Resource, outputs: Mapping[str, Any] | None = None, replaced: Resource | None = None
    ) -> None:
        """Take a resource into the state, with what its provider told and what it replaces."""
        if outputs is not None:
            goal.outputs = with_secrets(outputs, goal.inputs, goal.additional_secret_outputs)
        with self.changed:
            if replaced is not None:
                replaced.delete = True
            self.state.put(goal)

    def set_outputs(self, urn: str, outputs: dict[str, Any]) -> None:
        """Record the outputs of a component, or keep those of the whole stack until the run has ended."""
        with self.changed:
            resource = self.state.live(urn)
            if resource is None:
                return
            if resource.type == STACK_TYPE:
                self._stack_outputs = resource, outputs
            else:
                self.state.set_outputs(resource, outputs)
                self._save()

    def record_stack_outputs(self, *, failed: bool) -> None:
        """Record the outputs of the whole stack; those that a failed run does not tell stay as they were."""
        if self._stack_outputs is not None:
            resource, outputs = self._stack_outputs
            with self.changed:
                self.state.set_outputs(resource, {**resource.outputs, **outputs} if failed else outputs)
                self._save()

    def context(self, resource: Resource, operation: str) -> Context:
        """Return what an operation on a resource may need."""
        with self.changed:
            provider = self.state.live(resource.provider.rpartition("::")[0])
        inputs = plain(provider.inputs) if provider else {}
        return Context(
            inputs,
            resource.timeouts_s.get(operation),
            self.cancelled,
            resource.urn,
            partial(self.events.tell, resource),
        )

    def refuse_leaks(self, goal: Resource) -> None:
        """Refuse inputs that have in clear what another resource keeps secret."""
        clear = "\n".join(open_texts(goal.inputs))
        with self.changed:
            owners = self.state.secrets.owners_in(clear)
        if owners:
            self.stop(f"a secret of {', '.join(owners)} is in the inputs of {goal.name} in clear", goal)

    def stop(self, message: str, resource: Resource) -> None:
        """Begin nothing new, because of a mistake about a resource.

        Raises:
            StoppedError: Always.
        """
        self.begin_nothing()
        self.events.diagnose(message, resource)
        raise StoppedError

    def interrupt(self) -> None:
        """Begin nothing new, and let waiting end early."""
        self.cancelled.set()
        self.begin_nothing()

    def begin_nothing(self) -> None:
        """Begin no step any more; those that run go on."""
        self.stopped.set()
        self._cut.missed.set()

    def settle(self) -> None:
        """Begin nothing new and wait for the steps that run."""
        self.begin_nothing()
        with self.changed:
            self.changed.wait_for(lambda: self._running == 0)

    def _save(self) -> None:
        if not self.preview:
            self.state.save()


def _pending_type(operation: str) -> str:
    """Return Pulumi's word for a step that is not over yet."""
    begun = {"create": "creating", "update": "updating", "delete": "deleting"}
    return begun.get(operation.partition("-")[0], operation)
