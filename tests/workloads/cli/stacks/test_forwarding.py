"""Commands that another process carries out: how an interrupt reaches it, and what is said in the end."""

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.workloads.cli.commands import LIMIT_S, ended, start


def press_ctrl_c(process: "subprocess.Popen[str]") -> None:
    """Do what a terminal does."""
    for child in psutil.Process(process.pid).children(recursive=True):
        child.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)


def kill(process: "subprocess.Popen[str]") -> None:
    process.terminate()


@pytest.mark.parametrize("interrupt", [press_ctrl_c, kill])
def test_an_interrupted_command_ends_by_itself_and_says_what_is_left(
    tmp_path: Path, interrupt: Callable[["subprocess.Popen[str]"], None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LIMIT_S)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = start(tmp_path, "mirror", "class", "--from", url)
        try:
            # It waits for an answer now.
            connection, _ = silent.accept()
            with connection:
                interrupt(process)
                code, _, said = ended(process)
        finally:
            process.kill()
    assert code == 130
    assert said.strip().endswith("piray: stopped; run it again to go on.")
    assert "Traceback" not in said
