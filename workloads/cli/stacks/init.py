"""`piray init`: becomes `python -m infra.init`, which knows what a stack file may say."""

import os
import sys

import click

from workloads.runner.stack_outputs import find_project


@click.command(
    "init",
    short_help="Make a stack file, and the files that prepare the Pis' cards.",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Make a stack file; `piray init --help` says the rest."""
    # The current directory stays: the arguments may name files from there on.
    path = os.pathsep.join(filter(None, [str(find_project()), os.environ.get("PYTHONPATH")]))
    # In place of this process: the terminal's signals and the exit status are then its own.
    os.execve(  # noqa: S606 — no shell wanted
        sys.executable,
        [sys.executable, "-m", "infra.init", *arguments],
        {**os.environ, "PYTHONPATH": path},
    )
