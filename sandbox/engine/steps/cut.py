"""Ends the engine at one moment of one step, with all that it has started, as a power failure does.

For tests of what the next run makes of it. $PIRAY_ENGINE_CUT names the moment, what is done, to which
resource, and how many seconds of it pass: `during make ray-head 0.5`. Of the resources in $PIRAY_ENGINE_HOLD
nothing is begun before that.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

import psutil

_DONE = {"make": ("create", "create-replacement", "update"), "remove": ("delete", "delete-replaced")}


@dataclass(frozen=True)
class Cut:
    """Where a run ends.

    Attributes:
        moment: "before", "during" or "after" what is done; empty for never.
        action: "make" or "remove".
        name: Name of the resource.
        seconds: How much of it is done at the moment "during"; what takes less is done, and not noted.
        held: Names of the resources of which nothing is begun.
        missed: Set when that moment never comes: nothing is to be done to the resource, or no step begins any
            more.
    """

    moment: str = ""
    action: str = ""
    name: str = ""
    seconds: float = 0.0
    held: frozenset[str] = frozenset()
    missed: Event = field(default_factory=Event)

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "Cut":
        """Read it from the environment."""
        moment, action, name, seconds = (env.get("PIRAY_ENGINE_CUT") or "   0").split(" ")
        held = frozenset(env.get("PIRAY_ENGINE_HOLD", "").split())
        return cls(moment, action, name, float(seconds), held)

    def hold(self, name: str) -> None:
        """Wait, if that is one of those held back, until the moment can not come any more."""
        if name in self.held:
            self.missed.wait()

    def before(self, operation: str, name: str) -> None:
        """End the engine if that is the moment."""
        if self._is_at("before", operation, name):
            end()

    @contextmanager
    def during(self, operation: str, name: str) -> Iterator[None]:
        """End the engine a while after the block has begun, if that is the moment, and not come out of it."""
        if not self._is_at("during", operation, name):
            yield
            return
        Thread(target=self._end_later, daemon=True).start()
        yield
        Event().wait()

    def after(self, operation: str, name: str) -> None:
        """End the engine if that is the moment."""
        if (operation, name) == ("same", self.name):
            self.missed.set()
        if self._is_at("after", operation, name):
            end()

    def _is_at(self, moment: str, operation: str, name: str) -> bool:
        return (moment, name) == (self.moment, self.name) and operation in _DONE.get(self.action, ())

    def _end_later(self) -> None:
        time.sleep(self.seconds)
        end()


def end() -> None:
    """Kill this process after all that it has started."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    os.kill(os.getpid(), signal.SIGKILL)
