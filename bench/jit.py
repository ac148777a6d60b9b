"""What a kernel on disk saves a process: cold, which compiles it, against warm, which finds it there."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import ratios
from bench.figures import Figure, WrongAnswer, timed
from bench.timing import in_turn
from workloads.kernels.cache_files import ENV_IMAGE

ROUNDS = 8
ROOT = Path(__file__).resolve().parent.parent
# CPU seconds: others use the machine, too, and a process that starts waits for them often.
PROGRAM = """
import json, time
from workloads.kernels.disk_cache import tally
from workloads.mandelbrot.draw import compute_band, warm_up
from workloads.mandelbrot.plan import Band, Plan
begin = time.process_time()
warm_up()
ready = time.process_time()
plan = Plan(x_grids=1, y_grids=1, grid_width=50, grid_height=50)
picture = compute_band(plan, Band(0, 50, 0, 50)).tobytes().hex()
print(json.dumps({"kernel_s": ready - begin, "process_s": ready, "picture": picture, **vars(tally())}))
"""


@dataclass(frozen=True)
class Start:
    """One process.

    Attributes:
        kernel_s: CPU seconds to make the kernels ready, that of the values and that of the colours.
        process_s: The same from the start of the process, with the interpreter and the imports.
        picture: A small one.
        compiled: Kernels that it compiled.
        loaded: Kernels that it found on disk.
    """

    kernel_s: float
    process_s: float
    picture: str
    compiled: int
    loaded: int


def figures() -> list[Figure]:
    """Compare processes that compile with processes that load, in turn.

    Raises:
        WrongAnswer: If one does not do what it is to do, or the picture differs.
    """
    with tempfile.TemporaryDirectory(prefix="piray-bench-") as name:

        def start(index: int) -> Start:
            return _start(Path(name) / str(index))

        # The first process in a folder is the cold one.
        started = in_turn({"cold": start, "warm": start}, ROUNDS)
    colds, warms = started["cold"], started["warm"]
    _check(colds, warms)
    return [
        # Below that a worker's wait for whoever compiles would not be worth the files.
        _figure(
            "kernels compiled / found on disk",
            [one.kernel_s for one in colds],
            [one.kernel_s for one in warms],
            4.0,
        ),
        # The interpreter, NumPy and numba start in both.
        _figure(
            "process ready, cold / warm",
            [one.process_s for one in colds],
            [one.process_s for one in warms],
            2.0,
        ),
    ]


def _figure(name: str, colds: list[float], warms: list[float], goal: float) -> Figure:
    cold, warm = statistics.median(colds), statistics.median(warms)
    how = f"CPU time, median of {ROUNDS} rounds in turn: {cold:.2f} s cold, {warm:.2f} s warm"
    return timed(name, ratios.of_pairs(colds, warms), goal, how)


def _start(folder: Path) -> Start:
    inherited = {name: value for name, value in os.environ.items() if name != ENV_IMAGE}
    environment = {**inherited, "NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return Start(**json.loads(done.stdout))


def _check(colds: list[Start], warms: list[Start]) -> None:
    if any(cold.loaded for cold in colds) or any(warm.compiled for warm in warms):
        raise WrongAnswer("a process found a kernel in an empty folder, or compiled what was there.")
    if len({start.picture for start in (*colds, *warms)}) != 1:
        raise WrongAnswer("a kernel from the disk computes another picture than the one just compiled.")
