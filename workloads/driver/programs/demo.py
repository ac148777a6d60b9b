"""Decides how a demo is run: found by its name, and ended well only if what it shows happened."""

import importlib
from types import ModuleType

import ray
from ray import cloudpickle

from workloads.driver.nodes import ANSWER_TIMEOUT_S, Roster, WorkloadError
from workloads.driver.stage.stage import Stage
from workloads.protocol.demos import DEMOS, source_file
from workloads.protocol.events import Emit
from workloads.protocol.specs import DemoSpec

ROOT_PACKAGE = __name__.partition(".")[0]


def run(spec: DemoSpec, roster: Roster, emit: Emit) -> None:
    """Run a demo and report by events: said, checked, listed, result.

    Raises:
        WorkloadError: If there is no such demo, the cluster lacks what it needs or is busy, or what the demo
            shows did not happen.
    """
    if spec.name not in DEMOS:
        raise WorkloadError(f"there is no demo {spec.name!r}: choose one of {', '.join(DEMOS)}.")
    program = _load(spec.name)
    # By value: a task with a working directory of its own does not find this package there.
    cloudpickle.register_pickle_by_value(program)  # type: ignore[no-untyped-call]
    stage = Stage(roster, emit)
    try:
        program.show(stage)
    except ray.exceptions.GetTimeoutError:
        raise WorkloadError(
            f"the cluster did not answer in {ANSWER_TIMEOUT_S:.0f} s: is another job using all its CPUs?"
        ) from None
    finally:
        cloudpickle.unregister_pickle_by_value(program)  # type: ignore[no-untyped-call]
    stage.finish()


def _load(name: str) -> ModuleType:
    path = source_file(name).with_suffix("")
    try:
        return importlib.import_module(".".join((ROOT_PACKAGE, *path.parts)))
    except ModuleNotFoundError as error:
        raise WorkloadError(
            f"this demo needs the Python package {error.name}, which the Ray of this cluster lacks: use an "
            "image that is made from the current images/ray/Dockerfile, or the official image of Ray."
        ) from None
