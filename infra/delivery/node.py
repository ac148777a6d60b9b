"""A Node, reached over SSH: what it has of the image, and what brings it there."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.config.model import HostConfig, SshConfig
from infra.delivery.archive import Archive
from infra.delivery.problems import DeliveryError
from infra.remote.answer import AnswerError, parse_answer
from infra.remote.login import ssh_command
from infra.remote.stdin import render_stdin

SCRIPT = "delivery/image.sh"
# A gigabyte over a slow line, onto a slow card.
_LONGEST_S = 3600
_CHUNK = 1 << 18

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Sight:
    """What a Node has.

    Attributes:
        there: Whether the image is there, unpacked.
        received: Bytes of the archive that an earlier transfer has left.
        free: Bytes that are free where k3s keeps its data.
    """

    there: bool
    received: int
    free: int


class Node:
    """A host that runs k3s.

    Args:
        host: The host.
        ssh: How to log in.
        image: Reference of the image, with its registry.
        folder: A private folder, in which the keys are put.
    """

    def __init__(self, host: HostConfig, ssh: SshConfig, image: str, folder: Path) -> None:
        self.name = host.name
        self._image = image
        self._command = ssh_command(host, ssh, folder)
        password = ssh.sudo_password_on(host)
        self._password = password.reveal() if password else None

    def look(self, archive: Archive | None = None) -> Sight:
        """Return what it has.

        Args:
            archive: Whose beginning may be there.

        Raises:
            DeliveryError: If it is not reached.
        """
        said = self._run("look", archive)
        return Sight(there=bool(said["there"]), received=int(said["received"]), free=int(said["free"]))

    def pull(self) -> None:
        """Let it get the image from the other Nodes, or from the registry.

        Raises:
            DeliveryError: If neither gives it.
        """
        self._run("pull")

    def keep(self) -> None:
        """Let the image stay, and the one before the last go."""
        self._run("keep")

    def send(self, archive: Archive, begin: int, progress: Progress) -> None:
        """Send the archive and have it imported.

        Args:
            archive: The archive.
            begin: Bytes that are there already.
            progress: Gets the number of bytes that are there, now and then.

        Raises:
            DeliveryError: If it does not arrive; the next attempt goes on from there.
        """
        with subprocess.Popen(
            [*self._command, "bash -s -- receive"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            try:
                # `main` itself reads what follows: bash takes no more from the pipe than the lines it needs.
                process.stdin.write(self._script("receive", archive).encode())
                with archive.file.open("rb") as content:
                    content.seek(begin)
                    while chunk := content.read(_CHUNK):
                        process.stdin.write(chunk)
                        begin += len(chunk)
                        progress(begin)
            except BrokenPipeError:
                pass  # What it has said before it ended is told below.
            stdout, stderr = process.communicate()
        self._answer(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def _run(self, action: str, archive: Archive | None = None) -> Mapping[str, Any]:
        try:
            done = subprocess.run(
                [*self._command, f"bash -s -- {action}"],
                input=self._script(action, archive),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeliveryError(
                [f"piray: {self.name}: it takes longer than {_LONGEST_S} s; look at its network and its card"]
            ) from None
        return self._answer(done.returncode, done.stdout, done.stderr)

    def _script(self, action: str, archive: Archive | None) -> str:
        variables = {
            "HOST": self.name,
            "IMAGE": self._image,
            "SIZE": str(archive.size if archive else 0),
            "SHA256": archive.sha256 if archive else "",
        }
        return render_stdin([SCRIPT], variables, self._password, more_follows=action == "receive")

    def _answer(self, code: int, stdout: str, stderr: str) -> Mapping[str, Any]:
        if code:
            ours = [line for line in stderr.splitlines() if line.startswith(f"piray: {self.name}: ")]
            last = (stderr.strip().splitlines() or ["no reason was given"])[-1]
            raise DeliveryError(
                ours
                or [f"piray: {self.name}: it is not reached ({last}); run piray doctor; then make up again"]
            )
        try:
            return parse_answer(self.name, stdout)
        except AnswerError as error:
            raise DeliveryError([str(error)]) from None
