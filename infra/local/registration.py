"""The waiting until the cluster counts the nodes that it should; what ends meanwhile may be started again."""

import time
from collections.abc import Collection, Container, Sequence

from infra.local.dashboard import counted_nodes
from infra.local.node import is_running, start, stop
from infra.local.state import State
from infra.local.wanted import HEAD, LocalRayError, Wanted

# On a cold SD card or a busy machine Ray's Python processes take tens of seconds to be imported.
_START_TIMEOUT_S = 180
_ANSWER_TIMEOUT_S = 30
_POLL_S = 0.5
# What a node says to which Ray gave too little time: 30 s to register, which on a busy machine is not enough
# (raylet_start_wait_time_s in ray/_private/node.py).
_TOO_SLOW = "timed out during startup"


def settled_nodes(wanted: Wanted, state: State) -> frozenset[tuple[str, str]]:
    """Return name and start of the nodes that the cluster counts; a head that runs has time to answer."""
    deadline = time.monotonic() + _ANSWER_TIMEOUT_S
    while is_running(HEAD, state):
        counted = counted_nodes(state.ports.dashboard, wanted.token)
        if counted is not None:
            return counted
        if time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    return frozenset()


def is_counted(name: str, state: State, counted: Container[tuple[str, str]]) -> bool:
    """Return whether the cluster counts a node on record, and not an earlier start of it."""
    record = state.record(name)
    return record is not None and (name, record.start) in counted


def wait_for(names: Sequence[str], wanted: Wanted, state: State) -> None:
    """Wait until the cluster counts exactly these nodes.

    A node that ends meanwhile is started once more, and one that was too slow as long as there is time.

    Args:
        names: The nodes, all of them on record.
        wanted: What they are started with.
        state: Their files.

    Raises:
        LocalRayError: If a node is given up, or one that was stopped is still counted.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    retried: set[str] = set()
    while True:
        counted = counted_nodes(state.ports.dashboard, wanted.token) or frozenset()
        missing = [name for name in names if not is_counted(name, state, counted)]
        if not missing and len(counted) == len(names):
            return
        for name in names:
            if is_running(name, state):
                continue
            if not _is_worth_another(name, names, retried, deadline, state):
                raise _did_not_start(name, state)
            retried.add(name)
            stop([name], state)
            start(name, wanted, state)
        if time.monotonic() >= deadline:
            if missing:
                raise _did_not_start(missing[0], state)
            raise LocalRayError(
                "a stopped worker is still counted", "the head does not notice it", "run `make up` again"
            )
        time.sleep(_POLL_S)


def _is_worth_another(
    name: str, names: Collection[str], retried: Collection[str], deadline: float, state: State
) -> bool:
    """Return whether a node that has ended is to be started again."""
    was_slow = any(_TOO_SLOW in line for line in state.last_lines(name, 20))
    # With a head that ends the workers have nothing to go on with.
    if name == HEAD and (len(names) > 1 or not was_slow):
        return False
    return name not in retried or (was_slow and time.monotonic() < deadline)


def _did_not_start(name: str, state: State) -> LocalRayError:
    last = " ".join(filter(None, state.last_lines(name, 5)))
    return LocalRayError(
        f"Ray's {name} did not start",
        f"its log ends with: {last}",
        "close programs that need much memory or CPU, then run `make up` again",
    )
