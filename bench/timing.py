"""Decides how programs are compared on a machine that others use too: in turn, each once a round.

What slows the machine for a minute slows all programs of a round, and leaves their ratio as it is.
"""

import os
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

Part = Callable[[], object]
Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")


def in_turn(programs: Mapping[Name, Callable[[int], Value]], rounds: int) -> dict[Name, list[Value]]:
    """Run programs in turn.

    Args:
        programs: What runs them; is told the round.
        rounds: How often each is run.

    Returns:
        What each program returned; value i of all of them is of the same round.
    """
    values: dict[Name, list[Value]] = {name: [] for name in programs}
    for index in range(rounds):
        for name, program in programs.items():
            values[name].append(program(index))
    return values


def seconds_by_parts(programs: Mapping[str, Sequence[Part]], rounds: int) -> dict[str, list[float]]:
    """Time programs of one thread that are cut into parts; within a round they take turns part by part.

    So even what slows the core for a tenth of a second hits all of them. The parts of one that has fewer are
    spread evenly over the round. The thread's own CPU time counts: a part that takes longer is made to wait
    for others more often. Every other round is on another core: a virtual machine's core may share its
    multipliers with a neighbour for minutes.

    Args:
        programs: The parts of each program, all of them to be run in order.
        rounds: How often.

    Returns:
        CPU seconds of all parts of each program, in each round.
    """
    seconds = {name: [0.0] * rounds for name in programs}
    most = max(len(parts) for parts in programs.values())
    with _cores() as use:
        for index in range(rounds):
            use(index)
            for turn in range(most):
                for name, parts in programs.items():
                    at, rest = divmod(turn * len(parts), most)
                    if rest < len(parts):
                        begin = time.thread_time()
                        parts[at]()
                        seconds[name][index] += time.thread_time() - begin
    return seconds


def seconds_of(part: Part) -> float:
    """Return the wall seconds that something takes."""
    begin = time.perf_counter()
    part()
    return time.perf_counter() - begin


@contextmanager
def _cores() -> Iterator[Callable[[int], None]]:
    """Yield what puts this thread on core number i of those it may use, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield lambda _: None
        return
    allowed = os.sched_getaffinity(0)
    cores = sorted(allowed)
    try:
        yield lambda index: os.sched_setaffinity(0, {cores[index % len(cores)]})
    finally:
        os.sched_setaffinity(0, allowed)
