"""The Pulumi CLI as a process: asked for what the user need not see, or run before the user's eyes."""

import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Cli:
    """The CLI for one stack.

    Attributes:
        pulumi: The program.
        stack: Name of the stack.
        env: Environment for it.
        folder: The project's.
    """

    pulumi: Path
    stack: str
    env: Mapping[str, str]
    folder: Path

    def ask(self, *arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        """Run `pulumi stack …` to its end."""
        return subprocess.run(
            [self.pulumi, "stack", *arguments],
            cwd=self.folder,
            env=self.env,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )

    def run_to_its_end(self, arguments: Sequence[str]) -> int:
        """Run Pulumi until it ends by itself: killed, it would leave a lock and work unknown to it.

        An interrupt of the terminal reaches Pulumi as well, which then finishes what it has begun. It must
        not end this process, however early it comes: until Pulumi is known, it is kept back here, but not
        there.
        """
        waiting = {number for number in _INTERRUPTS if signal.getsignal(number) is not signal.SIG_IGN}
        before = {number: signal.getsignal(number) for number in waiting}
        signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
        try:
            if waiting & signal.sigpending():
                raise KeyboardInterrupt
            pulumi = subprocess.Popen(
                [self.pulumi, *arguments],
                cwd=self.folder,
                env=self.env,
                preexec_fn=partial(_let_through, waiting),  # noqa: PLW1509 — no thread is running
            )
            handlers = {
                signal.SIGINT: lambda *_: None,
                signal.SIGTERM: lambda *_: pulumi.send_signal(signal.SIGINT),
            }
            for number in waiting:
                signal.signal(number, handlers[number])
            signal.pthread_sigmask(signal.SIG_UNBLOCK, waiting)
            return pulumi.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, waiting)


def _let_through(signals: Collection[signal.Signals]) -> None:
    for number in signals:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
