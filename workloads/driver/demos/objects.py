"""Objects: values in the memory of a node, which tasks and actors pass on by reference."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray

from workloads.driver.nodes import ANSWER_TIMEOUT_S, pinned
from workloads.driver.stage.stage import Stage

NUMBERS = 4_000_000  # of 8 bytes each: 32 MB
READERS_OF_A_NODE = 2


@ray.remote(num_cpus=1)
def echo_and_get(x_list: list[Any]) -> tuple[list[str], list[int]]:
    """References within a list arrive as references; ray.get makes values of them."""
    return [str(x) for x in x_list], ray.get(x_list)


@ray.remote
class Reader:
    """A worker process that looks at one big array."""

    def look(self, references: list[Any], copy: bool) -> tuple[str, bool, float]:
        """Return where the array is in the computer's memory, whether it can be changed, and the seconds."""
        begin = time.perf_counter()
        array = ray.get(references[0])
        if copy:
            array = array.copy()
        seconds = time.perf_counter() - begin
        return memory_at(array.ctypes.data), bool(array.flags.writeable), seconds


def memory_at(address: int) -> str:
    """Return the file behind an address of this process, and the place in it: equal for all who share it."""
    # Linux lists all memory of a process: first-last rights offset device inode name.
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, _, inode, *_ = line.split()
        first, last = (int(end, 16) for end in span.split("-"))
        if first <= address < last and int(inode):
            return f"shared file {inode}, byte {int(offset, 16) + address - first}"
    return f"memory of process {os.getpid()} alone"


def show(stage: Stage) -> None:
    """Pass three small objects by reference, and let all workers of each node look at a big one."""
    small = [ray.put(value) for value in (1, 2, 3)]
    arguments, values = ray.get(echo_and_get.remote(small), timeout=ANSWER_TIMEOUT_S)
    stage.say(f"args: {', '.join(arguments)}\nvalues: {values}\n")
    stage.check("references went out, and the values are [1, 2, 3]", values == [1, 2, 3])

    # One put, and one copy for each node: its workers map the same memory into their address spaces.
    big = ray.put(np.arange(NUMBERS, dtype=np.float64))
    for node in stage.nodes:
        options = pinned(node.node_id, cpus=0)
        readers = [Reader.options(**options).remote() for _ in range(READERS_OF_A_NODE)]
        places: dict[bool, set[str]] = {False: set(), True: set()}
        for copy in (False, True):
            looks = [reader.look.remote([big], copy) for reader in readers]
            for place, writeable, seconds in ray.get(looks, timeout=ANSWER_TIMEOUT_S):
                how = "copied 32 MB" if copy else "copied 0 MB "
                rights = "its own to change" if writeable else "read-only"
                stage.say(f"{node.name}: {how} in {1000 * seconds:7.2f} ms, {rights}, {place}")
                places[copy].add(place)
        stage.check(f"on {node.name} all workers read the same memory", len(places[False]) == 1)
        stage.check(f"on {node.name} each copy has memory of its own", len(places[True]) == READERS_OF_A_NODE)

    mine = [reference.hex() for reference in (*small, big)]
    stage.list("objects", count=len(mine), object_id=mine, type="DRIVER")
