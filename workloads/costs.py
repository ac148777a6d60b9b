"""Measures what it costs to use a cluster beside the work: a call, the way to another node, memory."""

import os
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import ray

from workloads.cluster import ANSWER_TIMEOUT_S
from workloads.crew import Crew

# As much as a large band's result.
LINK_BYTES, COPY_BYTES = 2**23, 2**22
# The fastest of so many: what disturbs only makes it slower.
TRIALS = 8


@dataclass(frozen=True)
class Costs:
    """What it costs to use a cluster.

    Attributes:
        call_s: Seconds of the driver for each call, and about as many of a worker.
        copy_bytes_s: Bytes a second that the driver puts into a file.
        driver_cores: Cores of the driver's node, whoever uses them.
        latency_s: Seconds from the driver to another node; None if no actor is on one.
        link_bytes_s: Bytes a second from there into the driver's memory; None if no actor is on one.
    """

    call_s: float
    copy_bytes_s: float
    driver_cores: int
    latency_s: float | None = None
    link_bytes_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def measure(crew: Crew) -> Costs:
    """Measure them, in the driver, with warm actors that have nothing to do."""
    near = Costs(crew.call_s, _copy_speed(), os.cpu_count() or 1)
    far = next((slot.actor for slot in crew.slots if slot.actor is not None and not slot.shared), None)
    if far is None:
        return near
    round_trip_s = min(_seconds(far.ping) for _ in range(TRIALS))
    sent_s = min(_seconds(far.send, LINK_BYTES) for _ in range(TRIALS))
    return Costs(
        near.call_s,
        near.copy_bytes_s,
        near.driver_cores,
        latency_s=max(0.0, round_trip_s - crew.call_s) / 2,
        link_bytes_s=LINK_BYTES / max(sent_s - round_trip_s, 1e-9),
    )


def _seconds(method: Any, *arguments: Any) -> float:
    begin = time.perf_counter()
    ray.get(method.remote(*arguments), timeout=ANSWER_TIMEOUT_S)
    return time.perf_counter() - begin


def _copy_speed() -> float:
    data = np.ones(COPY_BYTES, dtype=np.uint8)
    seconds = []
    for _ in range(TRIALS):
        with tempfile.TemporaryFile() as file:
            begin = time.perf_counter()
            os.pwrite(file.fileno(), data.data, 0)
            seconds.append(time.perf_counter() - begin)
    return COPY_BYTES / min(seconds)
