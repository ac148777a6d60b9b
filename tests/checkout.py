"""A copy of the project whose commands are run, and how they ended."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox.project import ProjectCopy


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, and all that it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr


@dataclass(frozen=True)
class Deployed(Ended):
    """How `up`, `preview` or `down` ended, and what was done to which resource."""

    steps: tuple[tuple[str, str], ...]

    def names(self, *operations: str) -> set[str]:
        """Return the names of the resources with one of these operations."""
        return {name for operation, name in self.steps if operation in operations}

    @property
    def changes(self) -> set[tuple[str, str]]:
        """Return every operation that was not `same`, with its resource."""
        return {step for step in self.steps if step[0] != "same"}


class Checkout(ProjectCopy):
    """A copy of the project, run as a user runs it.

    Args:
        folder: Where it goes.
        engine: Folder that comes first on PATH, with the `pulumi` to use; None for the one on PATH.

    Attributes:
        is_real: Whether that is Pulumi's own engine.
    """

    def __init__(self, folder: Path, engine: Path | None = None) -> None:
        super().__init__(folder, engine)
        self.events = folder / "events"
        self.is_real = engine is None

    def engine(self, action: str, stack: str, *options: str) -> Ended:
        """Run `make up`, `preview` or `down` without the make."""
        return self._end(self.start("infra.pulumi_cli", action, stack, *options))

    def pulumi(self, *arguments: str, stdin: str = "") -> Ended:
        """Run the CLI itself."""
        done = subprocess.run(
            ["pulumi", *arguments],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def piray(self, *arguments: str) -> Ended:
        """Run the `piray` command."""
        return self._end(self.start("workloads.cli", *arguments))

    def deploy(self, action: str, stack: str, *options: str) -> Deployed:
        """Run `up`, `preview` or `down` and read what it did from the engine's events."""
        return self.deployed(self.start_deploy(action, stack, *options))

    def start_deploy(self, action: str, stack: str, *options: str) -> "subprocess.Popen[str]":
        """Begin what `deploy` does; `deployed` waits for its end."""
        self.events.unlink(missing_ok=True)
        return self.start("infra.pulumi_cli", action, stack, *options, "--event-log", str(self.events))

    def deployed(self, process: "subprocess.Popen[str]") -> Deployed:
        """Wait for the end of what `start_deploy` began."""
        ended = self._end(process)
        return Deployed(ended.code, ended.stdout, ended.stderr, tuple(read_steps(self.events)))

    def outputs(self, stack: str) -> Mapping[str, Any]:
        """Return the stack's outputs, secrets in clear."""
        ended = self.engine("outputs", stack)
        assert ended.code == 0, ended.said
        values = json.loads(ended.stdout)
        assert isinstance(values, dict)
        return values

    def start(self, module: str, *arguments: str) -> "subprocess.Popen[str]":
        """Begin a command and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell that starts the tests in the background lets its children ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 — one system call
        )

    @staticmethod
    def interrupt(process: "subprocess.Popen[str]") -> None:
        """Do what Ctrl-C does in a terminal: every process of the command is interrupted."""
        os.killpg(process.pid, signal.SIGINT)

    @staticmethod
    def _end(process: "subprocess.Popen[str]") -> Ended:
        stdout, stderr = process.communicate()
        return Ended(process.returncode, stdout, stderr)


def kill_family(pid: int, name: str = "") -> None:
    """Do what a power failure does: kill a process and all that it has started, the youngest last.

    Args:
        pid: Number of the process.
        name: Kill nothing but what has this name.
    """
    first = psutil.Process(pid)
    for one in [first, *first.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            if not name or Path(one.exe()).name == name:
                one.kill()


def read_steps(events: Path) -> Iterator[tuple[str, str]]:
    """Yield operation and name of each of the program's resources from an engine's event log.

    https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go
    """
    if not events.exists():
        return
    for line in events.read_text().splitlines():
        metadata = json.loads(line).get("resourcePreEvent", {}).get("metadata")
        if metadata and not metadata["type"].startswith(("pulumi:", "piray:")):
            yield metadata["op"], metadata["urn"].rsplit("::", 1)[1]
