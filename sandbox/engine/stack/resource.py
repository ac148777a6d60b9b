"""One resource as the test engine remembers it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(eq=False)
class Resource:
    """One resource as it was last registered and performed; two with equal values are still two.

    Attributes:
        delete: It has been replaced and is still to be deleted.
        pending_replacement: It has been deleted and its replacement is still to be made.
        init_errors: Why it is there but does not work yet.
        taint: It is to be replaced, changed or not.
    """

    urn: str
    type: str
    custom: bool
    inputs: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    additional_secret_outputs: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    delete_before_replace: bool | None = None
    timeouts_s: dict[str, float] = field(default_factory=dict)
    delete: bool = False
    pending_replacement: bool = False
    init_errors: list[str] = field(default_factory=list)
    taint: bool = False

    @property
    def name(self) -> str:
        """The last part of the URN."""
        return self.urn.rsplit("::", 1)[1]

    @property
    def needs(self) -> set[str]:
        """URNs of all that must outlive this resource."""
        through = {urn for urns in self.property_dependencies.values() for urn in urns}
        return ({*self.dependencies, *through, self.parent, self.provider.rpartition("::")[0]}) - {""}


def to_checkpoint(resource: Resource) -> dict[str, Any]:
    """Return a resource as it is written in a checkpoint: named as Pulumi's engine names it, nothing empty.

    https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go (ResourceV3)
    """
    return {
        _camel_case(key): value
        for key, value in asdict(resource).items()
        if key in ("urn", "type", "custom") or value not in (None, "", False, [], {})
    }


def from_checkpoint(entry: Mapping[str, Any]) -> Resource:
    """Return the resource of an entry of a checkpoint; what this engine does not know is left out."""
    named = {_camel_case(one.name): one.name for one in fields(Resource)}
    known = {named[key]: value for key, value in entry.items() if key in named}
    return Resource(**{"inputs": {}, **known})


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
