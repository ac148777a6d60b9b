"""Measures what it costs to use a cluster beside the work: a call, the way to another node, memory."""

import os
import tempfile
import time
from dataclasses import replace
from typing import Any

import numpy as np
import ray

from workloads.driver.crew.crew import Crew
from workloads.driver.nodes import ANSWER_TIMEOUT_S, LOSSES
from workloads.protocol.machine import usable_cores
from workloads.scaling.forecast import Costs

# As much as a large band's result.
LINK_BYTES, COPY_BYTES = 2**23, 2**22
# The fastest of so many: what disturbs only makes it slower. Over Wi-Fi each takes seconds.
TRIALS, LINK_TRIALS = 8, 3


def measure(crew: Crew) -> Costs:
    """Measure them, in the driver, with warm actors that have nothing to do."""
    near = Costs(crew.call_s, _copy_speed(), usable_cores())
    far = next((slot.actor for slot in crew.slots if slot.actor is not None and not slot.shared), None)
    if far is None:
        return near
    try:
        round_trip_s = min(_seconds(far.ping) for _ in range(TRIALS))
        sent_s = min(_seconds(far.send, LINK_BYTES) for _ in range(LINK_TRIALS))
    except (*LOSSES, ray.exceptions.GetTimeoutError):
        # The next picture finds out, and names the worker.
        return near
    # The cost of a call is a mean: on a busy machine it may be more than the fastest trip, whose part it is.
    call_s = min(crew.call_s, round_trip_s / 2)
    return replace(
        near,
        latency_s=(round_trip_s - call_s) / 2,
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
