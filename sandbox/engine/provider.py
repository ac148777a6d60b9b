"""What the test engine asks of a provider: the same questions as Pulumi's, in the same order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol

from sandbox.engine.stack.resource import Resource
from sandbox.engine.wire.values import Path


class ProviderError(Exception):
    """An operation failed and has left nothing that is to be remembered; the text is for the user."""


class PartialError(ProviderError):
    """An operation failed half-way: the resource is there and does not work.

    Args:
        message: What is wrong with it.
        id: Its id.
        outputs: What is known of it.
    """

    def __init__(self, message: str, id: str, outputs: dict[str, Any]) -> None:  # noqa: A002 — Pulumi's word
        super().__init__(message)
        self.id = id
        self.outputs = outputs


@dataclass(frozen=True)
class Diff:
    """How new inputs differ from the recorded resource.

    Attributes:
        paths: Where they differ; nothing means that nothing is to be done.
        replace: Whether the resource cannot be updated.
        delete_first: Whether old and new cannot be there at the same time.
    """

    paths: Sequence[Path] = ()
    replace: bool = False
    delete_first: bool = False


@dataclass(frozen=True)
class Context:
    """What an operation may need besides the resource.

    Attributes:
        provider_inputs: Plain inputs of the resource's explicit provider, if it has one.
        timeout_s: Longest time of the operation; None for the provider's own.
        cancelled: Set when the run is to end soon.
        urn: What it is about.
        say: Tells the user something while the operation runs.
    """

    provider_inputs: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    cancelled: Event = field(default_factory=Event)
    urn: str = ""
    say: Callable[[str], None] = lambda _: None


class Provider(Protocol):
    """Performs the resources of one kind. All inputs come in plain, outputs go out without marks."""

    def check(self, name: str, inputs: dict[str, Any], old: Resource | None) -> dict[str, Any]:
        """Return the inputs completed, e.g. with a name; these still have their marks of secrets."""

    def diff(self, old: Resource, new: Mapping[str, Any], context: Context) -> Diff:
        """Compare the recorded inputs with new ones."""

    def preview(self, old: Resource | None, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return what outputs can be told before a create (old is None) or an update."""

    def create(self, name: str, new: Mapping[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        """Create the resource; return its id and outputs."""

    def update(self, old: Resource, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Update the resource; return its outputs."""

    def delete(self, old: Resource, context: Context) -> None:
        """Delete the resource."""

    def read(self, old: Resource, context: Context) -> str | None:
        """Say how the resource differs from what is recorded, "" if it does not; None if it is gone."""
