"""Small throw-away programs for an engine, run as a user runs them, and an SSH server for their Commands."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.project import TEST_ENGINE
from tests.checkout import Deployed, read_steps

# Parameters of what is to hold on both engines: `real=engine == REAL`.
REAL = "real engine"
_REAL_THERE = pytest.mark.skipif(shutil.which("pulumi") is None, reason="no pulumi on PATH")
ENGINES = ["test engine", pytest.param(REAL, marks=[pytest.mark.engine, _REAL_THERE])]

_HEADER = """
import json, os, pulumi
from pathlib import Path
from pulumi import Output, ResourceOptions
from pulumi_command import local, remote

settings = json.loads(Path("settings.json").read_text())

def command(name, change="", depends_on=(), fails=False, seconds=0, **more):
    # Writes what runs into a file; what it prints depends on `change`.
    def step(word):
        end = "exit 3" if fails and word != "delete" else f"echo {name} {word} done >> journal"
        wait = f"sleep {seconds}" if word != "delete" else "true"
        return f"echo {name} {word} >> journal; {wait}; {end}"
    opts = ResourceOptions.merge(ResourceOptions(depends_on=list(depends_on)), more.pop("opts", None))
    update = step("update") if more.pop("update", True) else None
    return local.Command(
        name, create=f"{step('create')}; cat", update=update and f"{update}; cat", delete=step("delete"),
        add_previous_output_in_env=False, **{"stdin": change, **more}, opts=opts,
    )
"""


class Scenario:
    """A Pulumi program in a folder of its own, with an engine of its own.

    Args:
        folder: Where it goes.
        real: Whether to use the real engine, which must be on PATH.
    """

    def __init__(self, folder: Path, *, real: bool = False) -> None:
        self.real = real
        self.folder = folder / "program"
        self.folder.mkdir()
        self.state = folder / "state"
        self.state.mkdir()
        self.settings: dict[str, Any] = {}
        (self.folder / ".venv").symlink_to(Path(sys.prefix))
        runtime = {"name": "python", "options": {"virtualenv": ".venv"}}
        (self.folder / "Pulumi.yaml").write_text(json.dumps({"name": "scenario", "runtime": runtime}))
        (self.folder / "Pulumi.test.yaml").write_text("config: {}\n")
        path = os.environ["PATH"].split(os.pathsep)
        self.env = {
            **os.environ,
            "PATH": os.pathsep.join(path if real else [str(TEST_ENGINE), *path]),
            "PIRAY_ENGINE_PYTHON": sys.executable,
            "PIRAY_ENGINE_STATE": str(self.state),
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            # The real CLI knows --event-log only with it.
            "PULUMI_DEBUG_COMMANDS": "true",
        }
        self.journal_file = self.folder / "journal"
        self._events = folder / "events"
        assert self.pulumi("stack", "select", "test", "--create").returncode == 0

    def program(self, text: str, **settings: Any) -> None:
        """Make this the program; it finds the settings in `settings`."""
        (self.folder / "__main__.py").write_text(_HEADER + text)
        self.set(**settings)

    def set(self, **settings: Any) -> None:
        """Change settings of the program."""
        self.settings |= settings
        (self.folder / "settings.json").write_text(json.dumps(self.settings))

    def up(self, *options: str) -> Deployed:
        return self.ended(self.start("up", "--yes", "--skip-preview", *options))

    def preview(self, *options: str) -> Deployed:
        return self.ended(self.start("preview", *options))

    def destroy(self) -> Deployed:
        return self.ended(self.start("destroy", "--yes", "--skip-preview"))

    def outputs(self, *options: str) -> dict[str, Any]:
        """Return the outputs of the stack."""
        done = self.pulumi("stack", "output", "--json", "--stack", "test", *options)
        assert done.returncode == 0, done.stderr
        values = json.loads(done.stdout)
        assert isinstance(values, dict)
        return values

    def journal(self) -> list[str]:
        """Return what the commands have written since the last call."""
        lines = self.journal_file.read_text().splitlines() if self.journal_file.exists() else []
        self.journal_file.unlink(missing_ok=True)
        return lines

    def pulumi(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the CLI to its end."""
        command = ["pulumi", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin a run and return at once."""
        self._events.unlink(missing_ok=True)
        return subprocess.Popen(
            ["pulumi", *arguments, "--stack", "test", "--event-log", str(self._events)],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, process: "subprocess.Popen[str]") -> Deployed:
        """Wait for the end of what `start` began."""
        stdout, stderr = process.communicate()
        return Deployed(process.returncode, stdout, stderr, tuple(read_steps(self._events)))

    def wait_for(self, line: str) -> None:
        """Wait until a command has written a line."""
        deadline = time.monotonic() + 30
        while not self.journal_file.exists() or line not in self.journal_file.read_text().splitlines():
            assert time.monotonic() < deadline, line
            time.sleep(0.05)


@dataclass(frozen=True)
class SshServer:
    """A real SSH server of this user's on the loopback interface."""

    port: int
    user: str
    host_key: str
    private_key: str

    @property
    def connection(self) -> Mapping[str, Any]:
        """The `connection` of a remote Command."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "private_key": self.private_key,
            "host_key": self.host_key,
            "dial_error_limit": 2,
            "per_dial_timeout": 5,
        }


def missing_for_ssh() -> str:
    """Return why no SSH server can be started here, or nothing."""
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    if _sshd() is None:
        missing.append("sshd (Debian: openssh-server)")
    return f"this machine lacks {', '.join(missing)}" if missing else ""


def _sshd() -> str | None:
    return shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Run an SSH server with keys of its own until the end of the block."""
    folder.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "PasswordAuthentication": "no",
    }
    config = folder / "config"
    config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    privileges = Path("/run/sshd")
    if os.geteuid() == 0:
        privileges.mkdir(mode=stat.S_IRWXU, exist_ok=True)
    with subprocess.Popen([str(_sshd()), "-D", "-f", config, "-E", folder / "log"]) as server:
        try:
            _wait_for_port(port)
            yield SshServer(
                port,
                subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip(),
                " ".join((folder / "host.pub").read_text().split()[:2]),
                (folder / "user").read_text(),
            )
        finally:
            server.terminate()


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
