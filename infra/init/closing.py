"""What is said in the end: what was written, what comes next, and what the doctor finds."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.init.cards import BACKUP_SUFFIX, Place
from infra.init.questions import Questions
from infra.init.stack_text import StackAnswers, sudo_password_command


def tell_stack(questions: Questions, name: str, path: Path, answers: StackAnswers) -> None:
    """Say what the new stack file is."""
    servers = [host["name"] for host in answers.hosts if host["role"] == "server"]
    pis = "1 Pi" if len(answers.hosts) == 1 else f"{len(answers.hosts)} Pis"
    role = "is the server" if len(servers) == 1 else "are the servers"
    questions.tell(f"\nWrote {path.name}: {pis}, {', '.join(servers)} {role}.")
    if answers.sudo_asks:
        questions.tell(f"Store the password of sudo, encrypted: {sudo_password_command(name)}")
    questions.tell(f"Next: `make preview STACK={name}`, then `make up STACK={name}`.")


def tell_cards(questions: Questions, name: str, places: Sequence[Place], *, generated: bool) -> None:
    """Say what is to be done with the files of the cards."""
    ready = [place for place in places if place.command_line]
    copied = [place for place in places if not place.command_line]
    for place in ready:
        questions.tell(
            f"The card of {place.hostname} is ready ({place.folder}): eject it and start the Pi with it.\n"
            f"What was there before is kept beside the new files, with {BACKUP_SUFFIX} at the end."
        )
    if copied:
        folders = " ".join(str(place.folder) for place in copied)
        questions.tell(
            "Copy the three files of each Pi to the boot partition of its card (bootfs or system-boot), "
            f"before its first start:\n  {folders}"
        )
    if copied and generated:
        questions.tell("Then delete these folders: they hold the Pis' private host keys.")
    questions.tell(
        "The image must be one that reads cloud-init's files: Raspberry Pi OS since trixie, or Ubuntu.\n"
        f"When the Pis have started: `make up STACK={name}`."
    )


def run_doctor(name: str, folder: Path) -> int:
    """Let the doctor look at the Pis of a stack; return its exit status.

    Args:
        name: Of the stack.
        folder: Of the project.
    """
    if importlib.util.find_spec("infra.doctor") is None:
        return 0
    return subprocess.run([sys.executable, "-m", "infra.doctor", name], cwd=folder, check=False).returncode
