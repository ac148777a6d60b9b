"""Shows what the sandbox is doing: one line for each phase, with its seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Phases of a long piece of work.

    Args:
        console: Where they are shown; on a terminal the running one has a spinner.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Show a phase while it runs, and its seconds when it has ended.

        Args:
            name: What is done, with what makes it long.
        """
        begin = time.monotonic()
        with self._console.status(f"{name} …"):
            yield
        self._console.print(f"{time.monotonic() - begin:7.1f} s  {name}", highlight=False, markup=False)
