"""Decides what Ctrl-C and `kill` do to the runner: end the run in an orderly way, once."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
EXIT_INTERRUPTED = 128 + signal.SIGINT


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM interrupt the block as SIGINT does: by KeyboardInterrupt."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore SIGINT and SIGTERM while a run is cleaned up; the block must come to an end by itself."""

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return None

    with _handled(ignore):
        yield


@contextmanager
def handed_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Hand SIGINT and SIGTERM on to a process that cleans up by itself, and wait for it undisturbed."""

    def hand_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    with _handled(hand_on):
        yield


@contextmanager
def _handled(handler: object) -> Iterator[None]:
    # Only the main thread may set handlers, and only there they run.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}  # type: ignore[arg-type]  # typeshed has no name for a handler
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
