"""Drives a workload as a job on a cluster does, on a real Ray of three nodes of this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from workloads.protocol.events import Event, decode
from workloads.protocol.specs import Request, Spec
from workloads.runner.embedded import environment

ROOT = Path(__file__).resolve().parents[3]
NODES = 3

Shown = dict[str, list[Event]]


def surroundings() -> dict[str, str]:
    """Return the environment of a Ray that is the test's own."""
    return {**environment(os.environ), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


@contextmanager
def three_nodes() -> Iterator[dict[str, str]]:
    """Run a Ray of three nodes; yield the environment of those who use it."""
    variables = surroundings()
    cluster = subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "demos/three_nodes.py")],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert cluster.stdin is not None
    assert cluster.stdout is not None
    address = cluster.stdout.readline().strip()
    try:
        assert address, "the Ray of three nodes did not start"
        yield {**variables, "RAY_ADDRESS": address}
    finally:
        cluster.stdin.close()
        cluster.wait(60)
        cluster.stdout.close()


def drive(spec: Spec, variables: Mapping[str, str], nodes: int = NODES) -> Shown:
    """Run a workload as a job on a cluster does, and return its events by their kind."""
    request = Request(spec=spec, expected=nodes, cpus=None, temp_dir=None)
    done = subprocess.run(
        [sys.executable, "-m", "workloads.driver", json.dumps(request.to_dict())],
        cwd=ROOT,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    events = [event for line in done.stdout.splitlines() if (event := decode(line)) is not None]
    assert events[-1].kind == "result"
    shown: Shown = {}
    for event in events:
        shown.setdefault(event.kind, []).append(event)
    return shown
