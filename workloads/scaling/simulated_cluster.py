"""Decides what the simulation has to know of a cluster."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SimulatedCluster:
    """Nodes, and what it costs to use them.

    Attributes:
        cores: Workers on each node; node 0 is the driver's, whose results cross no link.
        speed: Updates a second of one core, as `row_work` counts them, with all its neighbours busy.
        call_s: Seconds of the driver for each call: half to make it, half to take its result.
        gap_s: Seconds of a worker for each call beside its work, even if the next one is there already.
        start_s: Seconds of the driver before the first call.
        latency_s: Seconds from the driver to another node, and as many back.
        link_bytes_s: Bytes a second into the driver's node; a pixel is one byte.
        copy_bytes_s: Bytes a second that a process puts into shared memory or a file.
        spare_core: Whether the driver has a core of its own beside the workers of its node.
        spread: Standard deviation of the nodes' speeds, relative; the driver has measured them.
        straggler: How many times slower the last node is than the driver has measured.
    """

    cores: tuple[int, ...]
    speed: float
    call_s: float = 0.0
    gap_s: float = 0.0
    start_s: float = 0.0
    latency_s: float = 0.0
    link_bytes_s: float = math.inf
    copy_bytes_s: float = math.inf
    spare_core: bool = True
    spread: float = 0.0
    straggler: float = 1.0
