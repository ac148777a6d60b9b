"""The driver: `python -m workloads.driver REQUEST` runs one workload and tells its runner by events.

REQUEST is the JSON of a `workloads.protocol.specs.Request`.
"""

import sys
import traceback
from collections.abc import Sequence
from typing import Any

import ray

from workloads.driver import nodes
from workloads.driver.lifeline import end_with_the_runner
from workloads.driver.nodes import WorkloadError
from workloads.driver.registry import WORKLOADS
from workloads.protocol import specs
from workloads.protocol.events import Emit, Event, Printer
from workloads.protocol.specs import Request, SpecError

EXIT_FAILED = 1
EXIT_WRONG_REQUEST = 2


def run(request: Request, emit: Emit) -> None:
    """Run the workload of a request in this process; report by events: nodes, and those of the workload.

    Raises:
        SpecError: If the request cannot be understood.
        WorkloadError: If the workload cannot go on.
    """
    workload = WORKLOADS[request.spec.workload]
    with nodes.session(request.cpus, request.temp_dir, workload.dashboard):
        roster = nodes.find(request.expected)
        described = [nodes.describe(node) for node in roster.nodes]
        emit(Event("nodes", {"nodes": described, "expected": roster.expected}))
        workload.run(request.spec, roster, emit)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    emit = Printer()
    try:
        known = {name: workload.spec for name, workload in WORKLOADS.items()}
        request = specs.read(" ".join(arguments), known)
        if request.temp_dir is not None:
            end_with_the_runner(request.temp_dir)
        run(request, emit)
    except Exception as error:
        code, values = _explain(error)
        if not values["foreseen"]:
            traceback.print_exc()
        emit(Event("error", values))
        return code
    return 0


def _explain(error: Exception) -> tuple[int, dict[str, Any]]:
    """Return the exit code of an error, and what the runner is told of it."""
    if isinstance(error, SpecError):
        return EXIT_WRONG_REQUEST, {"message": _one_line(error), "foreseen": True}
    if isinstance(error, WorkloadError):
        return EXIT_FAILED, {"message": _one_line(error), "foreseen": True}
    if isinstance(error, ray.exceptions.RayTaskError):
        # The text of the error itself is the task's whole traceback.
        cause = error.cause
        message = f"a task failed: {type(cause).__name__}: {_one_line(cause)}"
    else:
        lines = str(error).strip().splitlines()
        message = f"the driver failed: {type(error).__name__}: {lines[-1] if lines else ''}"
    return EXIT_FAILED, {"message": message, "foreseen": False}


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
