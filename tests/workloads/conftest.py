"""A real Ray head on loopback, with token authentication, for the tests that need one."""

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 300.0
# Another program may take a port between its choice and its use.
START_ATTEMPTS = 3


@dataclass(frozen=True)
class Head:
    """A Ray head that was started for the tests."""

    port: int
    token: str
    temp_dir: Path
    environment: dict[str, str]
    gcs_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def outputs(self, **changes: Any) -> str:
        """Return a stack's outputs for this head, as JSON."""
        return json.dumps(
            {
                "contractVersion": 1,
                "platform": "local",
                "rayVersion": "2.60.0",
                "rayToken": self.token,
                "workers": 0,
                "dashboardUrl": self.url,
                **changes,
            }
        )

    def get(self, path: str) -> Any:
        """Ask the dashboard."""
        request = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            request, timeout=60
        ) as response:
            return json.load(response)


def free_ports(count: int) -> list[int]:
    """Return ports that are free and not the same."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def processes_with(text: str) -> list[int]:
    """Return the processes whose command line or environment holds a text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if text.encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def end_head(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """End a head with all that was started in its folder, and remove that."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    for pid in processes_with(str(folder)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_head() -> Iterator[Head]:
    # Short, because the sockets in it may have paths of 107 characters at most.
    temp_dir = Path(tempfile.mkdtemp(prefix="prt-"))
    token = secrets.token_hex(32)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_USAGE_STATS_ENABLED": "0"}
    # A job's entrypoint begins with `python`, which in the Ray image is the one that has Ray.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    names = [
        *("--dashboard-port", "--port", "--dashboard-agent-listen-port", "--dashboard-agent-grpc-port"),
        *("--metrics-export-port", "--ray-client-server-port"),
    ]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    head = Head(ports["--dashboard-port"], token, temp_dir, environment, ports["--port"])
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2"),
            *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--temp-dir={temp_dir}"),
            *("--disable-usage-stats", "--object-store-memory=200000000"),
            *(f"{name}={port}" for name, port in ports.items()),
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_dashboard(head, process)
        yield head
    finally:
        end_head(process, temp_dir)


def _counts(head: Head, nodes: int) -> bool:
    # The state API is there a moment after the Jobs API.
    with suppress(OSError, ValueError, http.client.HTTPException):
        return bool(head.get("/api/v0/nodes")["data"]["result"]["total"] >= nodes)
    return False


@contextmanager
def joined_node(head: Head, name: str) -> Iterator[None]:
    """Run a second node of one CPU, with the label by which platform `local` names its nodes."""
    arguments = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"),
        *(f"--address=127.0.0.1:{head.gcs_port}", "--node-ip-address=127.0.0.1", "--disable-usage-stats"),
        *(
            "--object-store-memory=100000000",
            "--dashboard-agent-listen-port=0",
            f"--labels=piray/node={name}",
        ),
        *("--min-worker-port=0", "--max-worker-port=0"),
    ]
    log = head.temp_dir / f"{name}.log"
    with ExitStack() as stack:
        for attempt in range(1, START_ATTEMPTS + 1):
            output = stack.enter_context(log.open("w"))
            process = subprocess.Popen(
                arguments,
                cwd=ROOT,
                env=head.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            stack.callback(_end, process)
            limit = time.monotonic() + START_TIMEOUT_S
            while not (joined := _counts(head, 2)) and process.poll() is None and time.monotonic() < limit:
                time.sleep(0.5)
            if joined:
                break
            assert attempt < START_ATTEMPTS, log.read_text()[-2000:]
        yield


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    process.kill()
    process.wait()


def wait_for_dashboard(head: Head, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < limit and process.poll() is None:
        # The version is answered before the Jobs API is there.
        with suppress(OSError, ValueError):
            head.get("/api/jobs/")
            return
        time.sleep(0.5)
    raise AssertionError(f"the Ray head did not start (exit code {process.poll()})")


@pytest.fixture(scope="session")
def head() -> Iterator[Head]:
    """Return a running head, one for all tests."""
    with ExitStack() as stack:
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                started = stack.enter_context(running_head())
                break
            except AssertionError:
                if attempt == START_ATTEMPTS:
                    raise
        yield started
