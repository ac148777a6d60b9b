"""What `python -m infra.kuberay` is told on stdin."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from infra.kuberay.removal import Operator


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be done, and where. Secret, since the kubeconfig is.

    Attributes:
        kubeconfig: Contents of the stack's kubeconfig.
        namespace: Namespace of Ray.
        operator: Where the operator runs.
        mode: "deployments" or "kuberay".
        definitions_url: Directory that has the definitions of the custom resources.
        definitions: Their SHA-256 sums by the names of their files.
        kind: Kind of the custom resource.
        name: Its name.
        revision: What its pods have in their annotation if they are as declared last.
        declared: What changes with what is declared, so that it is waited for again.
        least: By the name of a group of workers, how many have to be there.
        limit_s: For how long it is waited for.
    """

    kubeconfig: str
    namespace: str
    operator: Operator
    mode: str = ""
    definitions_url: str = ""
    definitions: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    name: str = ""
    revision: str = ""
    declared: str = ""
    least: Mapping[str, int] = field(default_factory=dict)
    limit_s: float = 0.0

    def to_json(self) -> str:
        """Return it as text that is the same whenever it says the same."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Return what a text says."""
        values = json.loads(text)
        return cls(**{**values, "operator": Operator(**values["operator"])})
