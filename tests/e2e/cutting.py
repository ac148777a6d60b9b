"""Runs that are cut off at a step: by the test engine itself, or by whoever watches the real one."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.stack import STACK
from tests.checkout import kill_family
from tests.e2e.cluster import Cluster

# What `python -m infra.pulumi_cli` ends with when its CLI was killed.
KILLED = 256 - 9

_OPERATIONS = {"make": ("create", "create-replacement", "update"), "remove": ("delete", "delete-replaced")}


@dataclass(frozen=True)
class Step:
    """One resource of which something is made or removed, and at which moment that is cut off.

    Attributes:
        moment: "before", "during" or "after".
        action: "make" or "remove".
        name: Name of the resource.
        seconds: How much of it is done at the moment "during".
        victim: The one program of the real engine that is killed; empty for all of them.
    """

    moment: str
    action: str
    name: str
    seconds: float = 0.0
    victim: str = ""

    def __str__(self) -> str:
        return f"{self.moment} {self.action} {self.name} {self.seconds}"


def run_cut_off(cluster: Cluster, run: str, step: Step, later: Sequence[str]) -> None:
    """Begin a run and kill it with all its processes at a step.

    Args:
        cluster: The stack.
        run: "up" or "down".
        step: Where it ends.
        later: Resources of which nothing is to be begun before that; the real engine cannot be told.
    """
    cluster.configure()
    cluster.program.env |= {"PIRAY_ENGINE_CUT": str(step), "PIRAY_ENGINE_HOLD": " ".join(later)}
    process = cluster.program.start_deploy(run, STACK)
    try:
        if cluster.program.is_real:
            _watch(cluster, process, step)
            kill_family(process.pid, step.victim)
        stdout, stderr = process.communicate()
        assert cluster.program.is_real or process.returncode == KILLED, f"not {step}: {stdout}{stderr}"
    finally:
        if process.poll() is None:
            kill_family(process.pid)
        del cluster.program.env["PIRAY_ENGINE_CUT"], cluster.program.env["PIRAY_ENGINE_HOLD"]


def _watch(cluster: Cluster, process: Any, step: Step) -> None:
    """Wait until the event log of the real engine says that a step has begun, or has been done."""
    wanted = "resOutputsEvent" if step.moment == "after" else "resourcePreEvent"
    deadline = time.monotonic() + 600
    while not any(_is(event.get(wanted), step) for event in _events(cluster)):
        assert time.monotonic() < deadline, step
        assert process.poll() is None, f"not {step}: {cluster.program.deployed(process).said}"
        time.sleep(0.05)
    if step.moment == "during":
        time.sleep(step.seconds)


def _is(event: Any, step: Step) -> bool:
    if not event or event.get("planning"):
        # The real CLI previews before it begins.
        return False
    metadata = event["metadata"]
    return metadata["op"] in _OPERATIONS[step.action] and metadata["urn"].endswith(f"::{step.name}")


def _events(cluster: Cluster) -> Iterator[dict[str, Any]]:
    """Yield the events so far; the last line may still be on its way."""
    log = cluster.program.events
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            yield json.loads(line)
        except ValueError:
            return
