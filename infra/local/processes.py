"""Processes of this machine: which one has a number now, which ones belong together, and how they are ended.

Knows nothing of Ray. Numbers of processes are used again, after a restart of the machine above all, so that a
number alone never says which process is meant.
"""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

_STOP_TIMEOUT_S = 15
_POLL_S = 0.2
# Linux only.
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Process(NamedTuple):
    """One process.

    Attributes:
        pid: Its number.
        started: When it was started: what no other process with this number has; empty if never known.
    """

    pid: int
    started: str


def find_process(pid: int) -> Process | None:
    """Return the process that has a number now; None when it has ended, which a zombie has."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if not (boot := _boot_id()):
            return Process(pid, str(process.create_time()))
        # psutil counts from the start of the machine by a clock that may be set meanwhile; the ticks of the
        # kernel are what is left when that start is taken away again.
        ticks = (process.create_time() - psutil.boot_time()) * os.sysconf("SC_CLK_TCK")
        return Process(pid, f"{boot} {round(ticks)}")
    except psutil.Error:
        return None


def is_alive(process: Process) -> bool:
    """Return whether it is still this process that has its number."""
    return find_process(process.pid) == process


def stop(leaders: Iterable[Process]) -> bool:
    """End leaders of process groups with all that they have started: ask, wait, then kill.

    A leader that has ended may have left its group behind; that is ended, too, unless the leader's number
    belongs to another process by now.

    Returns:
        Whether all of them have ended.
    """
    table = _parents_and_groups()
    families = {leader: _family(leader.pid, table) for leader in leaders if _owns_group(leader)}
    for leader, family in families.items():
        if leader in family:
            # A whole family ends with its leader, in order.
            _signal({leader}, signal.SIGTERM)
        else:
            # What has lost its leader may ignore all but SIGKILL.
            _signal(family, signal.SIGKILL)
    everyone: set[Process] = set().union(*families.values())
    _signal(_wait(everyone), signal.SIGKILL)
    return not _wait(everyone)


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""


def _parents_and_groups() -> dict[int, tuple[int, int]]:
    """Return number → number of the parent and of the process group, for all processes."""
    result = {}
    for process in psutil.process_iter():
        try:
            result[process.pid] = process.ppid(), os.getpgid(process.pid)
        except (psutil.Error, OSError):
            continue
    return result


def _family(leader: int, parents_and_groups: dict[int, tuple[int, int]]) -> set[Process]:
    """Return a process group and all descendants of it: a job's program has a session of its own."""
    family = {pid for pid, (_, group) in parents_and_groups.items() if group == leader}
    while more := {pid for pid, (parent, _) in parents_and_groups.items() if parent in family} - family:
        family |= more
    return set(filter(None, map(find_process, family)))


def _owns_group(leader: Process) -> bool:
    """Return whether a group with the leader's number is the leader's: a group outlives its leader."""
    boot = _boot_id()
    if boot and boot != leader.started.split(" ")[0]:
        return False
    return find_process(leader.pid) in (None, leader)


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in filter(is_alive, processes):
        try:
            os.kill(process.pid, number)
        except OSError:
            continue


def _wait(processes: Iterable[Process]) -> set[Process]:
    """Give processes time to end and return those that have not."""
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while (alive := set(filter(is_alive, processes))) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return alive
