"""Decides what a user's own job is: its command, the files it brings, what it installs, its variables."""

import inspect
import re
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.protocol import parcel
from workloads.runner.jobs_api.packages import pip_of

# Not packed; Ray takes less than this packed, and would refuse it after minutes.
MAX_BYTES = 500 * 1024 * 1024
_LARGEST = 3
# The cluster's: that of this machine may be anywhere. For a job with packages it is the one that has them.
_PYTHON = "python"
_MIB = 1024 * 1024
_MARK = ".piray-job"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class WorkError(Exception):
    """A job cannot be made of what was given; one line that names everything that is wrong."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A user's job.

    Attributes:
        words: The command, word by word.
        script: A script that is all it brings; None where it brings a folder, or nothing.
        folder: The folder that it brings; its working directory on the cluster.
        packages: Requirements that it installs first.
        variables: Environment variables.
        own_folder: Whether its working directory is one that no other job has, even if it brings no files.
        wanted: Patterns of the files that it sends when it has ended.
    """

    words: tuple[str, ...]
    script: Path | None
    folder: Path | None
    packages: tuple[str, ...]
    variables: dict[str, str]
    own_folder: bool = False
    wanted: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command as a shell reads it."""
        return shlex.join(self.words)

    @property
    def entrypoint(self) -> str:
        """What the shell on the head is given: the command, or the program that sends its files."""
        if not self.wanted:
            return self.command
        # Isolated: a file of the job's may have the name of a module that the program needs.
        program = f'{_PYTHON} -I -c "${parcel.VARIABLE}"'
        return f"{program} {shlex.join([self.command, *self.wanted])}"

    @contextmanager
    def environment(self, wheels_url: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield Ray's description of what the job needs; the files in it are there inside the block.

        Args:
            wheels_url: Where the cluster gets packages; None for the internet.
        """
        described: dict[str, Any] = {"env_vars": {"PYTHONUNBUFFERED": "1", **self.variables}}
        if self.wanted:
            described["env_vars"][parcel.VARIABLE] = inspect.getsource(parcel)
        if self.packages:
            described["pip"] = pip_of(self.packages, wheels_url)
        with tempfile.TemporaryDirectory(prefix="piray-job-") as alone:
            if self.script is not None:
                shutil.copy(self.script, alone)
            if self.own_folder:
                # Ray has one folder for all jobs that bring the same files.
                (Path(alone) / _MARK).write_text(secrets.token_hex(16), encoding="utf-8")
            if self.script is not None or self.folder is not None or self.own_folder:
                described["working_dir"] = str(self.folder or alone)
            yield described


def work_of(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    pip: Sequence[str] = (),
    variables: Sequence[str] = (),
    own_folder: bool = False,
    fetch: Sequence[str] = (),
) -> Work:
    """Return the job that the options describe.

    Args:
        command: A script with its arguments, or a command.
        folder: What the job brings instead of the script alone; the script must be in it.
        pip: Requirements, and files with requirements.
        variables: NAME=VALUE.
        own_folder: As in `Work`; a job that sends files has one in any case.
        fetch: Patterns of the files that it sends.

    Raises:
        WorkError: Names everything that is wrong.
    """
    problems: list[str] = []
    script = Path(command[0]) if command[0].endswith(".py") else None
    words = command if script is None else [_PYTHON, _name_there(script, folder, problems), *command[1:]]
    if folder is not None:
        problems += _size_problems(folder)
    problems += _pattern_problems(fetch)
    packages = [one for each in pip for one in _requirements(each, problems)]
    work = Work(
        words=tuple(words),
        script=script if folder is None else None,
        folder=folder,
        packages=tuple(packages),
        variables=dict(_variables(variables, problems)),
        own_folder=own_folder or bool(fetch),
        wanted=tuple(fetch),
    )
    if problems:
        raise WorkError("; ".join(problems) + ".")
    return work


def _name_there(script: Path, folder: Path | None, problems: list[str]) -> str:
    """Return the path of a script in the job's working directory."""
    if not script.is_file():
        problems.append(f"there is no script {script}: give the path of a file")
    elif folder is not None:
        try:
            return str(script.resolve().relative_to(folder.resolve()))
        except ValueError:
            problems.append(
                f"the script {script} is not in --working-dir {folder}: give a folder that holds it"
            )
    return script.name


def _size_problems(folder: Path) -> Iterator[str]:
    """Refuse a folder that Ray would refuse after minutes; what .gitignore leaves out is not known here."""
    if (folder / ".gitignore").exists() or (folder / ".rayignore").exists():
        return
    total = sum(_sizes(folder).values())
    if total > MAX_BYTES:
        yield (
            f"--working-dir {folder} holds {total // _MIB} MiB, and a job may bring {MAX_BYTES // _MIB}: "
            f"{largest_files(folder)}"
        )


def largest_files(folder: Path) -> str:
    """Return what to do about a folder that is too large, with the names of its largest files."""
    sizes = _sizes(folder)
    largest = sorted(sizes, key=lambda path: -sizes[path])[:_LARGEST]
    named = ", ".join(f"{path.relative_to(folder)} ({sizes[path] // _MIB} MiB)" for path in largest)
    return f"the largest files are {named}; name what the job does not need in a file .rayignore"


def _sizes(folder: Path) -> dict[Path, int]:
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path: path.stat().st_size for path in found}


def _requirements(given: str, problems: list[str]) -> Iterator[str]:
    if not given.endswith(".txt"):
        yield given
        return
    try:
        lines = Path(given).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        problems.append(
            f"--pip {given} cannot be read ({getattr(error, 'strerror', None) or 'it is no text'})"
        )
        return
    for line in lines:
        if text := line.split("#", 1)[0].strip():
            yield text


def _pattern_problems(patterns: Sequence[str]) -> Iterator[str]:
    for one in patterns:
        if not one.isprintable() or not one or one.startswith(("/", "~", "-")) or ".." in one.split("/"):
            yield (
                f"--fetch {one!r} must name files in the job's working directory, "
                "as '*.png' or 'out/*.csv' does"
            )


def _variables(given: Sequence[str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for one in given:
        name, equals, value = one.partition("=")
        if equals and _VARIABLE.fullmatch(name):
            yield name, value
        else:
            problems.append(
                f"--env {one.split('=')[0]} must be NAME=VALUE, with letters, digits and _ in NAME"
            )
