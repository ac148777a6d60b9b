"""Decides when a driver with an embedded Ray ends: with its runner, however that one ends."""

import atexit
import os
import signal
import subprocess
import threading
from types import FrameType


def end_with_the_runner(temp_dir: str) -> None:
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
            _end_the_process_group(temp_dir)

    signal.signal(signal.SIGTERM, stop)
    # Python calls last what was registered first: Ray is asked to stop before.
    atexit.register(leave)
    threading.Thread(target=watch, name="piray-watch", daemon=True).start()


def _end_the_process_group(temp_dir: str) -> None:
    # Agents of a Ray that was stopped while it started go on for a minute. The runner made a process
    # group for Ray alone, and the shell is not in it.
    subprocess.Popen(
        ["sh", "-c", 'kill -9 "-$1"; rm -rf "$2"', "sh", str(os.getpid()), temp_dir],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
