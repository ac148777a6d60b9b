"""What a run of the test engine tells: lines for the user, and the event log of the real CLI's `--event-log`.

https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from threading import Lock
from typing import Any

from sandbox.engine.stack.resource import Resource

_SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "+-", "same": " "}
# Parts of a replacement: the `replace` is what is counted.
_UNCOUNTED = ("create-replacement", "delete-replaced", "remove-pending-replace")


class Events:
    """Reports steps as they happen, from any thread.

    Args:
        log: File of the event log, or None.
        planning: Whether nothing is performed.
        quiet: Whether standard output is for something else.
    """

    def __init__(self, log: Path | None, *, planning: bool, quiet: bool = False) -> None:
        self.steps: list[tuple[str, Resource]] = []
        self.diagnostics: list[tuple[Resource | None, str]] = []
        self._log = log
        self._planning = planning
        self._quiet = quiet
        self._lock = Lock()
        self._sequence = 0
        self._begun = time.monotonic()
        self._counts: Counter[str] = Counter()
        if log is not None:
            log.write_text("")

    @property
    def changes(self) -> dict[str, int]:
        """Number of resources for each operation."""
        return dict(self._counts)

    def begin(self, operation: str, resource: Resource) -> float:
        """Report the begin of a step; return the time."""
        with self._lock:
            self.steps.append((operation, resource))
        self._write("resourcePreEvent", metadata=_metadata(operation, resource), planning=self._planning)
        return time.monotonic()

    def end(self, operation: str, resource: Resource, begun: float) -> None:
        """Report that a step has been done."""
        with self._lock:
            if operation not in _UNCOUNTED:
                self._counts[operation] += 1
        self._write("resOutputsEvent", metadata=_metadata(operation, resource), planning=self._planning)
        if operation != "same":
            self._say(operation, resource, f"{time.monotonic() - begun:.1f} s")

    def fail(self, operation: str, resource: Resource, message: str) -> None:
        """Report that a step has failed."""
        metadata = _metadata(operation, resource)
        self._write("resOpFailedEvent", metadata=metadata, status=0, steps=len(self.steps))
        self._say(operation, resource, "failed")
        self.diagnose(message, resource)

    def tell(self, resource: Resource, message: str) -> None:
        """Report what a provider says while it works."""
        self._write(
            "diagnosticEvent",
            urn=resource.urn,
            message=message,
            severity="info",
            color="never",
            ephemeral=True,
        )
        if not self._quiet:
            sys.stdout.write(f"    {resource.type} {resource.name} {message}\n")
            sys.stdout.flush()

    def diagnose(self, message: str, resource: Resource | None = None, severity: str = "error") -> None:
        """Report a message, about a resource or about the whole run."""
        self._write(
            "diagnosticEvent",
            urn=resource.urn if resource else "",
            message=message,
            severity=severity,
            color="never",
        )
        with self._lock:
            if severity == "error":
                self.diagnostics.append((resource, message))
            else:
                print(f"{severity}: {message}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Report all errors, then the sum of all steps; as JSON if nothing else goes to standard output."""
        seconds = time.monotonic() - self._begun
        self._write(
            "summaryEvent", maybeCorrupt=False, durationSeconds=int(seconds), resourceChanges=self.changes
        )
        # The real CLI, too, tells errors on standard output.
        out = sys.stderr if self._quiet else sys.stdout
        if self.diagnostics:
            print("Diagnostics:", file=out)
        for resource, message in self.diagnostics:
            where = f"{resource.type} ({resource.name})" if resource else "pulumi:pulumi:Stack"
            lines = message.rstrip().replace("\n", "\n    ")
            print(f"  {where}:\n    error: {lines}\n", file=out, flush=True)
        if self._quiet:
            steps = [{"op": operation, "urn": one.urn} for operation, one in self.steps]
            print(json.dumps({"steps": steps, "changeSummary": self.changes}, indent=2))
        else:
            print("Resources:")
            for operation, count in sorted(self.changes.items()):
                print(f"    {_SIGNS.get(operation, ''):2} {count} {operation}")
            print(f"\nDuration: {seconds:.0f}s", flush=True)

    def _say(self, operation: str, resource: Resource, text: str) -> None:
        if not self._quiet:
            sign = _SIGNS.get(operation.partition("-")[0], "")
            would = "would be " if self._planning else ""
            # In one piece: other threads print, too.
            sys.stdout.write(f" {sign:2} {resource.type} {resource.name} {would}{operation} ({text})\n")
            sys.stdout.flush()

    def _write(self, kind: str, **event: Any) -> None:
        if self._log is None:
            return
        with self._lock:
            self._sequence += 1
            line = {"sequence": self._sequence, "timestamp": int(time.time()), kind: event}
            with self._log.open("a") as file:
                file.write(json.dumps(line) + "\n")


def _metadata(operation: str, resource: Resource) -> dict[str, Any]:
    return {
        "op": operation,
        "urn": resource.urn,
        "type": resource.type,
        "logical": operation not in _UNCOUNTED,
        "provider": resource.provider,
    }
