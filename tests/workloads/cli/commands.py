"""Starts the command as a user does: a process of its own, whose clusters are those that it is told of."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 240


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start the command in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "workloads.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background lets its children ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 — one system call
    )


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Return exit status, output and error output."""
    stdout, stderr = process.communicate(timeout=LIMIT_S)
    return process.returncode, stdout, stderr
