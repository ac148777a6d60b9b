"""Decides how a driver with an embedded Ray runs on this machine: as a process, started and stopped here.

Ray reads its authentication settings once, when it is first imported, and takes over signal handlers: a
process of its own keeps both away from the runner. The driver is the same as on a cluster.
"""

import codecs
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.protocol.events import Event, encode
from workloads.protocol.machine import usable_cores
from workloads.protocol.specs import Request, Spec
from workloads.runner.follow import DriverReport
from workloads.runner.signals import uninterrupted

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 30.0
POLL_S = 0.5
PIECE_BYTES = 65_536


class EmbeddedError(Exception):
    """The driver cannot be started; one line that says what to do."""


@dataclass(frozen=True)
class EmbeddedTarget:
    """This machine, with a Ray of its own.

    Attributes:
        cpus: CPUs that Ray may use; None for all that this process may use.
    """

    cpus: int | None = None

    @property
    def name(self) -> str:
        """Name for people."""
        return "embedded Ray"

    @property
    def outputs(self) -> None:
        """Outputs of the stack: there is none."""
        return

    def run(self, spec: Spec) -> Generator[str]:
        """Run a driver; yield its output in pieces. Closing the iterator stops it."""
        return run(spec, self.cpus)

    def node_facts(self, _report: DriverReport) -> tuple[dict[str, Any], ...]:
        """Return the facts of nodes that are other machines than this one: there are none."""
        return ()


def run(spec: Spec, cpus: int | None = None, token: str | None = None) -> Generator[str]:
    """Run a driver and yield its output in pieces; closing the iterator stops it.

    The last piece is an event "ended" if the driver failed.

    Args:
        spec: What to compute.
        cpus: CPUs that Ray may use; None for all that this process may use.
        token: What Ray asks of its users; None for one that nobody else needs. Secret.

    Raises:
        EmbeddedError: If the driver cannot be started.
    """
    try:
        # Not where TMPDIR says: the sockets in it may have paths of 107 characters at most.
        prefix = f"piray-{os.getpid()}-"
        temp_dir = tempfile.mkdtemp(prefix=prefix, dir="/tmp")  # noqa: S108 — mkdtemp makes it private
    except OSError as error:
        raise EmbeddedError(
            f"the folder /tmp cannot be written to ({error.strerror}): Ray needs it."
        ) from None
    try:
        request = Request(spec=spec, expected=1, cpus=cpus or usable_cores(), temp_dir=temp_dir)
        yield from _run(request, environment(os.environ, token))
    finally:
        with uninterrupted():
            shutil.rmtree(temp_dir, ignore_errors=True)


def _run(request: Request, variables: Mapping[str, str]) -> Generator[str]:
    try:
        process = _start(request, variables)
    except OSError as error:
        raise EmbeddedError(
            f"{sys.executable} cannot be started ({error.strerror}): run it with a Python you may run."
        ) from None
    try:
        yield from _pieces(process)
        code = process.wait(STOP_TIMEOUT_S)
    finally:
        with uninterrupted():
            _stop(process)
    if code != 0:
        yield f"\n{encode(Event('ended', {'status': 'FAILED', 'message': f'exit code {code}'}))}\n"


def _start(request: Request, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "workloads.driver", json.dumps(request.to_dict())],
        # Not the user's directory: `python -m` would import a folder named ray that lies there, as in /tmp.
        cwd=PACKAGE_ROOT,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def environment(inherited: Mapping[str, str], token: str | None = None) -> dict[str, str]:
    """Return the driver's environment: no Ray settings but ours, a token of its own, no proxy.

    Without a token in the environment Ray would make one and keep it in the user's home. Parts of Ray (its
    metrics, by gRPC) would ask the proxy for parts on this machine; it needs nothing from elsewhere.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith("RAY_") and not name.lower().endswith("_proxy")
    }
    return {
        **kept,
        # A job's command begins with `python`: this one has Ray.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token or secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray would give its workers what every other process leaves over, the runner's own row 0 included.
        "RAY_worker_niceness": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _pieces(process: subprocess.Popen[bytes]) -> Iterator[str]:
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        ready, _, _ = select.select([descriptor], [], [], POLL_S)
        if ready:
            data = os.read(descriptor, PIECE_BYTES)
            if not data:
                return
            yield decoder.decode(data)
        elif process.poll() is not None:
            # A process of Ray's that still holds the pipe must not keep the run from ending.
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
    # Its session is ours alone; whatever is left in it belongs to this run.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
