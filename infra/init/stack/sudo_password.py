"""Stores the password of sudo in a new stack, encrypted by the Pulumi CLI; it travels on standard input."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from infra.config.values.ssh_keys import Secret
from infra.config.values.sudo_password import parse_sudo_password
from infra.init.dialogue.questions import Questions
from infra.init.stack.text import sudo_password_command
from infra.pulumi_cli import PulumiCliError, environment


def store_sudo_password(questions: Questions, name: str, path: Path) -> bool:
    """Ask for the password and store it; return whether it is stored.

    Where nobody can be asked, or without a CLI, it is said how the user stores it.

    Args:
        questions: How it is asked.
        name: Of the stack.
        path: Of the stack file.
    """
    pulumi = shutil.which("pulumi")
    if questions.interactive and pulumi is not None:
        password = questions.ask(
            "Password of sudo, to be stored encrypted (it is not shown; only Enter: you store it later)",
            lambda text: parse_sudo_password(text) if text else None,
            default="",
            secret=True,
        )
        if password is not None and _set(questions, Path(pulumi), name, path, password):
            questions.tell("The password of sudo is stored, encrypted.")
            return True
    questions.tell(
        f"sudo asks for a password. After `make preview STACK={name}` store it, encrypted (docs/on-a-pi.md\n"
        f"says what your shell needs): {sudo_password_command(name)}"
    )
    return False


def _set(questions: Questions, pulumi: Path, name: str, path: Path, password: Secret) -> bool:
    try:
        env = environment(pulumi, os.environ)
    except PulumiCliError as error:
        questions.tell(f"piray: {error}")
        return False

    def run(arguments: Sequence[str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command = [str(pulumi), *arguments, "--non-interactive"]
        return subprocess.run(
            command, cwd=path.parent, env=env, input=stdin, capture_output=True, text=True, check=False
        )

    setting = ["config", "set", "--stack", name, "--secret", "piray:sudoPassword"]
    done = run(setting, password.reveal())
    if done.returncode and "no stack named" in done.stderr:
        done = run(["stack", "init", name, "--no-select"])
        if not done.returncode:
            done = run(setting, password.reveal())
    if done.returncode:
        questions.tell(f"pulumi could not store the password: {' '.join(done.stderr.split())}")
    return not done.returncode
