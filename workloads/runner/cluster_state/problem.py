"""What is wrong, or was: one sentence of what, one of what to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, or that has gone wrong and is over.

    Attributes:
        subject: What it is about: a pod, a host, a node of Ray.
        what: What is wrong with it.
        remedy: What to do.
        over: Whether it is over: it tells why something was restarted, and asks for nothing now.
        at: When it happened, as Kubernetes writes times; "" if that is not known.
    """

    subject: str
    what: str
    remedy: str
    over: bool = False
    at: str = ""
