"""Which sandbox this is, where it keeps its files, and the processes that it leaves running."""

import os
import signal
import subprocess
import time
from pathlib import Path

from sandbox.machine.process import SandboxError

# There may be several on one machine, each with a daemon and a network of its own; 0 is the usual one.
NUMBER = int(os.environ.get("PIRAY_SANDBOX_NUMBER", "0"))
# For the names of what a machine has only one of.
SUFFIX = f"-{NUMBER}" if NUMBER else ""

_STOP_S = 20


def runtime_directory() -> Path:
    """Return $PIRAY_SANDBOX, else /var/lib/piray-sandbox; `make sandbox-down` removes it.

    Any but the usual sandbox has its number behind that.
    """
    return Path((os.environ.get("PIRAY_SANDBOX") or "/var/lib/piray-sandbox") + SUFFIX)


class Service:
    """A process that outlives the command which started it, known by its pid file.

    Args:
        name: Names its pid file and its log.
        runtime: Where both are.
    """

    def __init__(self, name: str, runtime: Path) -> None:
        self.name = name
        self.log = runtime / f"{name}.log"
        self._pid_file = runtime / f"{name}.pid"

    def start(self, *command: str | Path, env: dict[str, str] | None = None) -> None:
        """Start it, unless it runs.

        Args:
            command: Program and arguments.
            env: The whole environment; None for the one of this process.
        """
        if self.runs():
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,
            )
        self._pid_file.write_text(f"{process.pid} {_started(process.pid)}")

    def runs(self) -> bool:
        """Say whether it runs."""
        return self._pid() is not None

    def check(self) -> None:
        """Refuse to go on without it.

        Raises:
            SandboxError: If it has ended; the text has the end of its log.
        """
        if not self.runs():
            said = self.log.read_text(errors="replace").strip().splitlines()[-10:]
            raise SandboxError(f"{self.name} has ended:\n" + "\n".join(said))

    def stop(self) -> None:
        """End it and wait until it has ended."""
        pid = self._pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + _STOP_S
            while self.runs() and time.monotonic() < deadline:
                time.sleep(0.05)
            if self.runs():
                os.kill(pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def _pid(self) -> int | None:
        """Return its process number; None if that process has ended, or is another one by now."""
        try:
            pid, started = self._pid_file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _started(int(pid)) == started else None


def _started(pid: int) -> str:
    """Return the clock tick of a process's start; empty if it has ended, a zombie included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
