"""Commands that another process carries out: how an interrupt reaches it, and what is said in the end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_PATIENCE_S = 60


def press_ctrl_c(process: "subprocess.Popen[str]") -> None:
    """Do what a terminal does."""
    os.killpg(process.pid, signal.SIGINT)


def kill(process: "subprocess.Popen[str]") -> None:
    process.terminate()


@pytest.mark.parametrize("interrupt", [press_ctrl_c, kill])
def test_an_interrupted_command_ends_by_itself_and_says_what_is_left(
    tmp_path: Path, interrupt: Callable[["subprocess.Popen[str]"], None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(_PATIENCE_S)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "workloads.cli", "mirror", str(tmp_path), "--from", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell that starts the tests in the background lets its children ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 — one system call
        )
        try:
            # It waits for an answer now.
            connection, _ = silent.accept()
            with connection:
                interrupt(process)
                _, said = process.communicate(timeout=_PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.strip().endswith("piray: stopped; run it again to go on.")
    assert "Traceback" not in said
