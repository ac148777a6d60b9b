"""What anyone could have read in the process lists, of this machine and of every simulated Pi on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Often enough to meet a command that runs for a moment, seldom enough to cost a few percent of a core.
_PERIOD_S = 0.1


class ProcessWatch:
    """Collects the command line of every process; those in containers are seen from here, too.

    Attributes:
        seen: All command lines so far, each once.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def running(self) -> Iterator["ProcessWatch"]:
        """Collect until the end of the block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(_PERIOD_S):
            self._look()

    def _look(self) -> None:
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with suppress(OSError):
                self.seen.add((folder / "cmdline").read_text(errors="replace").replace("\0", " "))
