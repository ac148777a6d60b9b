"""What is said in the end: what was written, what comes next, and what the doctor finds."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.init.cards.layout import BACKUP_SUFFIX, CardFolder
from infra.init.dialogue.questions import Questions
from infra.init.stack.text import StackAnswers


def tell_stack(questions: Questions, path: Path, answers: StackAnswers) -> None:
    """Say what the new stack file is."""
    servers = [host["name"] for host in answers.hosts if host["role"] == "server"]
    pis = "1 Pi" if len(answers.hosts) == 1 else f"{len(answers.hosts)} Pis"
    role = "is the server" if len(servers) == 1 else "are the servers"
    questions.tell(f"\nWrote {path.name}: {pis}, {', '.join(servers)} {role}.")


def tell_cards(questions: Questions, name: str, folders: Sequence[CardFolder], *, generated: bool) -> None:
    """Say what is to be done with the files of the cards."""
    ready = [folder for folder in folders if folder.command_line]
    copied = [folder for folder in folders if not folder.command_line]
    for folder in ready:
        questions.tell(
            f"The card of {folder.hostname} is ready ({folder.path}): eject it and start the Pi with it.\n"
            f"What was there before is kept beside the new files, with {BACKUP_SUFFIX} at the end."
        )
    if copied:
        listed = " ".join(str(folder.path) for folder in copied)
        questions.tell(
            "Copy the three files of each Pi to the boot partition of its card (bootfs or system-boot), "
            f"before its first start:\n  {listed}"
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
    return subprocess.run([sys.executable, "-m", "infra.doctor", name], cwd=folder, check=False).returncode
