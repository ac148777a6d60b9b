"""Decides how an embedded Ray serves other programs: it says where, and is there until it is ended."""

import os
import signal
from typing import Any

from ray._private import worker
from ray._private.utils import write_ray_address

from workloads.driver.nodes import Roster
from workloads.protocol.events import Emit, Event
from workloads.protocol.specs import HostingSpec


def run(_spec: HostingSpec, _roster: Roster, emit: Emit) -> None:
    """Report by the event serving where the dashboard and its Jobs API answer, and wait for the end."""
    node: Any = worker._global_node  # noqa: SLF001 — nothing else tells the folder
    # `ray start` notes it. Without that a job would take any Ray that runs on this machine for its own.
    write_ray_address(node.gcs_address, node.get_temp_dir_path())
    address = worker.get_dashboard_url()  # type: ignore[no-untyped-call]  # half of Ray has no types
    emit(Event("serving", {"url": f"http://{address}"}))
    # Nobody reads on, and Ray would wait at a pipe that is full.
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    while True:
        signal.pause()
