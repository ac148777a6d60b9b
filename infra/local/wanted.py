"""What a stack wants of this machine; travels as JSON from the program to `python -m infra.local`."""

import json
from dataclasses import asdict, dataclass, field

HEAD = "head"


class LocalRayError(Exception):
    """This machine cannot be brought to what a stack wants; the text is one line for the user."""

    def __init__(self, what: str, rule: str, remedy: str) -> None:
        super().__init__(f"this machine: {what}; {rule}; {remedy}")


@dataclass(frozen=True)
class Wanted:
    """The Ray nodes that a stack wants, and all that they are started with.

    Attributes:
        stack: Name of the stack.
        token: Ray's bearer token. Secret.
        generation: Number that grows by one when a dead node is to be repaired.
        ray_version: Exact version of Ray.
        workers: Number of workers, the head not counted.
        head_cpus: CPUs that Ray counts on the head.
        worker_cpus: CPUs that Ray counts on each worker.
    """

    stack: str
    token: str = field(repr=False)
    generation: int
    ray_version: str
    workers: int
    head_cpus: int
    worker_cpus: int

    @classmethod
    def from_json(cls, text: str) -> "Wanted":
        """Read what `to_json` has written."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return it as JSON; secret, as the token is in it."""
        return json.dumps(asdict(self))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, the head first."""
        return (HEAD, *(f"worker-{number}" for number in range(1, self.workers + 1)))

    def cpus(self, node: str) -> int:
        """Return the CPUs that Ray counts on a node."""
        return self.head_cpus if node == HEAD else self.worker_cpus

    def settings(self, node: str) -> str:
        """Return in words what a node has to be started again for when it changes.

        The token is not among them: a node that was started with another one does not answer to this one.
        """
        return f"{self.cpus(node)} cpus, ray {self.ray_version}"
