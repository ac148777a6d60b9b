"""Which Ray nodes have to be started, stopped or left alone on this machine."""

import importlib.metadata
import sys
from collections.abc import Container

from infra.local.node import free_ports, is_running, start, stop
from infra.local.registration import is_counted, settled_nodes, wait_for
from infra.local.state import State
from infra.local.wanted import HEAD, LocalRayError, Wanted


def apply(wanted: Wanted) -> str:
    """Start the nodes that are missing, stop those that are too many, and leave the others alone.

    Returns:
        Where the dashboard and the Jobs API listen.

    Raises:
        LocalRayError: If the right Ray is not installed, or a node does not start. What runs is left to the
            next `apply` then, but for a cluster that was not there before: nothing of that is left.
        OSError: If a file cannot be written.
    """
    check_ray(wanted)
    state = State(wanted.stack)
    is_new = HEAD not in state.names
    try:
        return _apply(wanted, state)
    except LocalRayError:
        if is_new:
            undo(wanted.stack)
        raise


def undo(stack: str) -> None:
    """Stop exactly the processes that `apply` has started, half dead ones too, and remove their files.

    Raises:
        LocalRayError: If a process cannot be ended.
        OSError: If a file cannot be removed.
    """
    state = State(stack)
    stop(state.names, state)
    state.remove()


def generation(stack: str) -> int:
    """Return Wanted.generation of the last `apply`, plus one while a node on record is dead."""
    state = State(stack)
    return state.generation + any(not is_running(name, state) for name in state.names)


def check_ray(wanted: Wanted) -> None:
    """Refuse a Python without the Ray that the stack wants.

    Raises:
        LocalRayError: If there is none, or another version.
    """
    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        raise LocalRayError(
            f"{sys.executable} has no Ray",
            f"the nodes need Ray {wanted.ray_version} in it",
            f"run `make up STACK={wanted.stack}`, which installs it in .venv",
        ) from None
    if version != wanted.ray_version:
        raise LocalRayError(
            f"{sys.executable} has Ray {version}",
            f"the stack wants exactly {wanted.ray_version}",
            f"install ray[default]=={wanted.ray_version} there, or set piray:ray.version",
        )


def unfit_nodes(wanted: Wanted, state: State, counted: Container[tuple[str, str]]) -> list[str]:
    """Return nodes on record that are too many, have ended, or were started with other settings.

    Args:
        wanted: What the stack wants.
        state: The nodes on record.
        counted: Name and start of the nodes that the cluster counts.
    """

    def is_fit(name: str) -> bool:
        record = state.record(name)
        return (
            record is not None
            and name in wanted.nodes
            and record.settings == wanted.settings(name)
            and is_running(name, state)
            and is_counted(name, state, counted)
        )

    unfit = [name for name in state.names if not is_fit(name)]
    # All that a cluster knows is in its head: without it the workers have nothing to go on with.
    return unfit if HEAD in state.names and HEAD not in unfit else state.names


def _apply(wanted: Wanted, state: State) -> str:
    state.create()
    stop(unfit_nodes(wanted, state, settled_nodes(wanted, state)), state)
    if HEAD not in state.names:
        state.ports = free_ports(state.ports)
        start(HEAD, wanted, state)
        wait_for([HEAD], wanted, state)
    for name in wanted.nodes:
        if name not in state.names:
            start(name, wanted, state)
    wait_for(wanted.nodes, wanted, state)
    state.generation = wanted.generation
    return f"http://127.0.0.1:{state.ports.dashboard}"
