"""Decides which workloads a driver knows: one line for each, its spec and the function that runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from workloads.driver.nodes import Roster
from workloads.driver.programs import connectivity, demo, hosting, mandelbrot, pi, ray_nodes, sweep
from workloads.protocol.events import Emit
from workloads.protocol.specs import (
    ConnectivitySpec,
    DemoSpec,
    HostingSpec,
    MandelbrotSpec,
    NodesSpec,
    PiSpec,
    Spec,
    SweepSpec,
)

AnySpec = TypeVar("AnySpec", bound=Spec)


@dataclass(frozen=True)
class Workload:
    """One workload.

    Attributes:
        spec: What the runner says of it.
        run: Computes it on the nodes of a roster and tells of it by events, the last one "result".
        dashboard: Whether an embedded Ray needs its dashboard, which answers Ray's state API.
    """

    spec: type[Spec]
    run: Callable[[Any, Roster, Emit], None]
    dashboard: bool = False


def line(
    spec: type[AnySpec], run: Callable[[AnySpec, Roster, Emit], None], dashboard: bool = False
) -> tuple[str, Workload]:
    """Return a line of the registry."""
    return spec.workload, Workload(spec, run, dashboard)


WORKLOADS: dict[str, Workload] = dict(
    [
        line(MandelbrotSpec, mandelbrot.run),
        line(SweepSpec, sweep.run),
        line(PiSpec, pi.run),
        line(ConnectivitySpec, connectivity.run),
        line(NodesSpec, ray_nodes.run),
        line(DemoSpec, demo.run, dashboard=True),
        line(HostingSpec, hosting.run, dashboard=True),
    ]
)
