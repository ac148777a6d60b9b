"""`up`, `preview` and `destroy` of the test engine, from the lock to the last line."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import pulumi

from sandbox.engine.program.performing import run_program
from sandbox.engine.stack.files import stack_config
from sandbox.engine.stack.state import State, lock
from sandbox.engine.steps.deployment import Deployment
from sandbox.engine.steps.events import Events
from sandbox.engine.steps.run import Run, StoppedError

Action = Literal["up", "preview", "destroy"]


def deploy(
    action: Action,
    folder: Path,
    path: Path,
    *,
    project: str,
    replace: Collection[str] = (),
    log: Path | None = None,
    quiet: bool = False,
    only_same: bool = False,
) -> bool:
    """Do one of the three and say whether all went well.

    Args:
        action: Which one.
        folder: The program's.
        path: State of the stack, named after it.
        project: Name of the project.
        replace: URNs of resources to replace, changed or not.
        log: Where the engine's events go.
        quiet: Print nothing but the steps as JSON at the end.
        only_same: Whether a change counts as a failure.

    Raises:
        StateError: If the stack is locked.
    """
    held = lock(path) if action != "preview" else None
    state = State(path, os.environ)
    events = Events(log, planning=action == "preview", quiet=quiet)
    for pending in state.pending_operations:
        events.diagnose(f"{pending['urn']} was interrupted while {pending['operation']}", severity="warning")
    state.pending_operations = []
    run = Run(state, events, preview=action == "preview")
    deployment = Deployment(run, replace)
    _finish_on_interrupt(run)
    done = True
    try:
        if action != "destroy":
            run_program(
                folder, stack_config(path.stem, folder), deployment, run, project=project, stack=path.stem
            )
        deployment.delete_the_rest()
    except BaseException as error:  # noqa: BLE001 — a SystemExit of the program included
        done = False
        run.settle()
        _report(error, events)
    if run.cancelled.is_set():
        events.diagnose(f"{action} canceled")
    if only_same and events.changes.keys() - {"same"}:
        done = False
        events.diagnose("no changes were expected but changes were proposed")
    events.finish()
    if quiet:
        steps = [{"op": operation, "urn": one.urn} for operation, one in events.steps]
        print(json.dumps({"steps": steps, "changeSummary": events.changes}, indent=2))
    if held is not None:
        os.close(held)
    return done


def _finish_on_interrupt(run: Run) -> None:
    def interrupt(*_: object) -> None:
        if run.cancelled.is_set():
            os._exit(255)
        print("interrupted: finishing what runs; once more to leave it at once", file=sys.stderr, flush=True)
        run.interrupt()

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def _report(error: BaseException, events: Events) -> None:
    """Say what ended the program, unless it was a step that has been reported already."""
    if any(isinstance(one, StoppedError) for one in _causes(error)):
        return
    if isinstance(error, pulumi.RunError):
        events.diagnose(str(error))
    else:
        text = "".join(traceback.format_exception(error))
        events.diagnose(f"Program failed with an unhandled exception:\n{text}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield what led to an error, each once: one that ends several tasks may come to be its own cause."""
    seen = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
