"""The driver: `python -m workloads.driver SPEC` runs one workload next to Ray and tells its runner by events.

SPEC is JSON: `workload`, `expected` (nodes that the stack declares), `cpus` (start an embedded Ray with so
many; absent on a cluster), `temp_dir` (of the embedded Ray) and the workload's own values.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import ray

from workloads.driver import connectivity, mandelbrot, pi, sweep
from workloads.driver.nodes import WorkloadError, session
from workloads.mandelbrot.plan import Plan
from workloads.protocol.events import Emit, Event, Printer

EXIT_FAILED = 1
EXIT_WRONG_SPEC = 2


def run(spec: Mapping[str, Any], emit: Emit) -> None:
    """Run the workload of a spec in this process.

    Raises:
        WorkloadError: If it cannot go on.
        KeyError, ValueError: If the spec is wrong.
    """
    expected = int(spec.get("expected", 1))
    with session(spec.get("cpus"), spec.get("temp_dir")):
        if spec["workload"] == "mandelbrot":
            mandelbrot.run(Plan.from_dict(spec["plan"]), spec["repeats"], spec["workers"], expected, emit)
        elif spec["workload"] == "sweep":
            sweep.run(spec["seconds"], spec["repeats"], spec["workers"], expected, emit)
        elif spec["workload"] == "pi":
            pi.run(spec["completions"], spec["samples"], spec["seed"], expected, emit)
        elif spec["workload"] == "connectivity":
            connectivity.run(spec["rounds"], spec["tasks"], expected, emit)
        else:
            raise ValueError(f"workload {spec['workload']!r} is unknown.")


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    emit = Printer()
    try:
        spec = json.loads(arguments[0])
        if spec.get("cpus") is not None:
            _end_with_the_runner(spec["temp_dir"])
        run(spec, emit)
    except WorkloadError as error:
        emit(Event("error", {"message": " ".join(str(error).split()), "foreseen": True}))
        return EXIT_FAILED
    except ray.exceptions.RayTaskError as error:
        traceback.print_exc()
        # The text of the error itself is the task's whole traceback.
        cause = error.cause
        emit(
            Event(
                "error", {"message": f"a task failed: {type(cause).__name__}: {' '.join(str(cause).split())}"}
            )
        )
        return EXIT_FAILED
    except (IndexError, KeyError, TypeError, ValueError) as error:
        traceback.print_exc()
        emit(Event("error", {"message": f"the job failed: {' '.join(str(error).split())}"}))
        return EXIT_WRONG_SPEC
    except Exception as error:
        traceback.print_exc()
        reason = str(error).strip().splitlines()
        emit(Event("error", {"message": f"{type(error).__name__}: {reason[-1] if reason else ''}"}))
        return EXIT_FAILED
    return 0


def _end_with_the_runner(temp_dir: str) -> None:
    """Stop embedded Ray when the runner asks (SIGTERM), and also when it is gone (its pipe closes).

    Args:
        temp_dir: Where Ray keeps its sockets and logs; removed if the runner cannot do it any more.
    """
    gone = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        # Once is enough: a second exception would get in the way of stopping Ray.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(128 + signal.SIGTERM)

    def watch() -> None:
        # Not sys.stdin: at the end Python would wait for the lock that this thread holds on it.
        while os.read(0, 1024):
            pass
        gone.set()
        os.kill(os.getpid(), signal.SIGTERM)

    def leave() -> None:
        if gone.is_set():
            # Agents of a Ray that was stopped while it started go on for a minute. The runner made a process
            # group for Ray alone, and the shell is not in it.
            subprocess.Popen(
                ["sh", "-c", 'kill -9 "-$1"; rm -rf "$2"', "sh", str(os.getpid()), temp_dir],
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    signal.signal(signal.SIGTERM, stop)
    # Python calls last what was registered first: Ray is asked to stop before.
    atexit.register(leave)
    threading.Thread(target=watch, name="piray-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
