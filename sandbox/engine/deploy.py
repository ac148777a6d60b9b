"""`up`, `preview` and `destroy` of the test engine, from the lock to the last line."""

import os
import signal
import sys
import traceback
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import pulumi

from sandbox.engine.program.performing import run_program
from sandbox.engine.stack.encrypted import EncryptedError, read_config
from sandbox.engine.stack.locks import locked
from sandbox.engine.stack.state import State
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
    with nullcontext() if action == "preview" else locked(path):
        events = Events(log, planning=action == "preview", quiet=quiet)
        run = Run(State(path, os.environ), events, preview=action == "preview")
        run.warn_of_interrupted()
        _finish_on_interrupt(run)
        done = _perform(run, Deployment(run, replace), None if action == "destroy" else folder, project)
        if run.cancelled.is_set():
            events.diagnose(f"{action} canceled")
        if only_same and events.changes.keys() - {"same"}:
            done = False
            events.diagnose("no changes were expected but changes were proposed")
        events.finish()
    return done


def _perform(run: Run, deployment: Deployment, folder: Path | None, project: str) -> bool:
    """Run the program of a folder, if there is one to run, and delete what it no longer wants."""
    stack = run.state.path.stem
    try:
        if folder is not None:
            config = read_config(stack, folder, os.environ)
            run_program(folder, config, deployment, run, project=project, stack=stack)
        deployment.delete_the_rest()
    except BaseException as error:  # noqa: BLE001 — a SystemExit of the program included
        run.settle()
        run.record_stack_outputs(failed=True)
        _report(error, run.events)
        return False
    run.record_stack_outputs(failed=False)
    return True


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
    if isinstance(error, pulumi.RunError | EncryptedError):
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
