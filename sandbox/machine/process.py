"""Runs other programs; what fails becomes one message with the last lines that the program said."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAST_LINES = 15


class SandboxError(Exception):
    """The sandbox cannot go on; the text is for the user: what, why, and what to do."""


def run(
    *command: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program and return its standard output.

    Args:
        command: Program and arguments.
        cwd: Directory to run in.
        env: The whole environment; None for the one of this process.
        stdin: Text for its standard input; None for no input.
        timeout: Seconds after which it is killed.

    Raises:
        SandboxError: If the program is not there, ends with an error or takes too long.
    """
    arguments = [str(part) for part in command]
    try:
        done = subprocess.run(
            arguments,
            cwd=cwd,
            env=env,
            input=stdin or "",
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise SandboxError(f"{error.filename} is not there; `make sandbox` names its package") from error
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"{_shown(arguments)} did not end in {timeout:.0f} s") from error
    if done.returncode:
        said = _last_lines(done.stdout + done.stderr)
        raise SandboxError(f"{_shown(arguments)} ended with code {done.returncode}:\n{said}")
    return done.stdout


def _shown(arguments: Sequence[str]) -> str:
    text = " ".join(arguments)
    return text if len(text) < 200 else text[:200] + " …"  # noqa: PLR2004 — what fits on two lines


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])
