"""Decides how two programs are compared on a machine that others use too: in turn, part by part."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager


def best_sums(programs: Mapping[str, Sequence[Callable[[], object]]], repeats: int) -> dict[str, float]:
    """Time programs that are cut into parts, and add up the best time of each part.

    A part is short enough to end before something else gets the core, at least once in `repeats`. The
    programs take turns, part by part, so that a slow minute or a slow clock hits all of them; the parts of
    one that has fewer are spread evenly over the whole time. Every other try of a part is on another core: a
    virtual machine's core may share its multipliers with a neighbour for minutes.

    Args:
        programs: The parts of each program, all of them to be run in order.
        repeats: How often.

    Returns:
        Seconds of each program.
    """
    best = {name: [float("inf")] * len(parts) for name, parts in programs.items()}
    most = max(len(parts) for parts in programs.values())
    with _cores() as use:
        for turn in range(most):
            for repeat in range(repeats):
                use(repeat)
                for name, parts in programs.items():
                    index, rest = divmod(turn * len(parts), most)
                    if rest < len(parts):
                        begin = time.perf_counter()
                        parts[index]()
                        best[name][index] = min(best[name][index], time.perf_counter() - begin)
    return {name: sum(parts) for name, parts in best.items()}


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
