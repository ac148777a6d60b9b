"""The files of a stack's nodes: what runs, since when, and with which settings. Starts and stops nothing.

They are in $XDG_STATE_HOME/piray/<stack>: `nodes/<name>` and `ports` as lines of `key=value`, `temp`,
`generation`, `logs/<name>.log`, and `work`, where the nodes run. A file that cannot be read counts as
missing: `up` and `down` have to get on with whatever an interrupted run has left.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infra.local.processes import Process

_TEMP_PREFIX = "piray-"
# The path of a socket holds at most 107 bytes, of which Ray takes 70: a home directory is too long.
_TEMP_PARENT = Path("/tmp")  # noqa: S108 — mkdtemp makes a directory in it that is the user's alone


@dataclass(frozen=True)
class Record:
    """A node as it was started.

    Attributes:
        process: Its first process, the leader of a process group.
        start: Tells this start from every other one of the same node; a label of the Ray node.
        settings: Wanted.settings of the node.
    """

    process: Process
    start: str
    settings: str


@dataclass(frozen=True)
class Ports:
    """Ports of the head on the loopback interface; 0 stands for any free one."""

    gcs: int = 0
    dashboard: int = 8265
    client: int = 0


class State:
    """The files of one stack's nodes, for their owner's eyes only.

    Args:
        stack: Name of the stack.
    """

    def __init__(self, stack: str) -> None:
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self.folder = Path(home) / "piray" / stack
        self.work = self.folder / "work"
        self._nodes = self.folder / "nodes"

    def create(self) -> None:
        """Make every directory that is missing, also the one for Ray's sockets."""
        for folder in (self.folder, self._nodes, self.folder / "logs", self.work):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.temp and self.temp.is_dir()):
            self._write("temp", tempfile.mkdtemp(prefix=_TEMP_PREFIX, dir=_TEMP_PARENT))

    def remove(self) -> None:
        """Remove all files."""
        temp = self.temp
        if temp and temp.parent == _TEMP_PARENT and temp.name.startswith(_TEMP_PREFIX):
            shutil.rmtree(temp, ignore_errors=True)
        if os.path.isdir(self.folder):
            shutil.rmtree(self.folder)

    @property
    def temp(self) -> Path | None:
        """Directory for Ray's sockets; None where there was never one."""
        path = self._read("temp").strip()
        return Path(path) if path else None

    @property
    def names(self) -> list[str]:
        """Names of all nodes on record."""
        try:
            return sorted(file.name for file in self._nodes.iterdir())
        except OSError:
            return []

    def record(self, node: str) -> Record | None:
        """Return what is on record of a node; None where that is nothing, or nothing that makes sense."""
        values = self._values(f"nodes/{node}")
        pid = values.get("pid", "")
        if not pid.isdecimal():
            return None
        # Records of older versions end with a checksum of the token.
        settings = values.get("as", "").split(", token")[0]
        return Record(Process(int(pid), values.get("started", "")), values.get("start", ""), settings)

    def keep(self, node: str, record: Record) -> None:
        """Put a node on record."""
        process = record.process
        self._write(
            f"nodes/{node}",
            f"pid={process.pid}\nstarted={process.started}\nstart={record.start}\nas={record.settings}",
        )

    def forget(self, node: str) -> None:
        """Take a node off the record."""
        (self._nodes / node).unlink(missing_ok=True)

    @property
    def ports(self) -> Ports:
        """Ports of the head, the last one's where it has ended."""
        values = self._values("ports")
        return Ports(**{name: int(port) for name, port in values.items() if port.isdecimal()})

    @ports.setter
    def ports(self, ports: Ports) -> None:
        self._write("ports", f"gcs={ports.gcs}\ndashboard={ports.dashboard}\nclient={ports.client}")

    @property
    def generation(self) -> int:
        """Wanted.generation of the last `apply` that came to its end; 0 where none did."""
        text = self._read("generation").strip()
        return int(text) if text.isdecimal() else 0

    @generation.setter
    def generation(self, generation: int) -> None:
        self._write("generation", str(generation))

    def log(self, node: str) -> Path:
        """Return the file that a node's output goes to."""
        return self.folder / "logs" / f"{node}.log"

    def last_lines(self, node: str, number: int) -> list[str]:
        """Return the last lines of a node's log; none where there is no log."""
        return self._read(f"logs/{node}.log").splitlines()[-number:]

    def _values(self, file: str) -> dict[str, str]:
        return {key: value for key, _, value in (x.partition("=") for x in self._read(file).splitlines())}

    def _read(self, file: str) -> str:
        try:
            return (self.folder / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(f"{text}\n", encoding="utf-8")
