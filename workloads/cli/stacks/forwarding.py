"""Commands of `piray` that a process of `infra` carries out, with all that is given to them."""

import subprocess
import sys

import click

from workloads.runner.signals import handed_on


def forwarded(name: str, module: str, summary: str) -> click.Command:
    """Return a command that hands its arguments on, help included, and ends as the process does.

    Args:
        name: Name of the command.
        module: What `python -m` runs.
        summary: What it does, as a sentence.
    """

    def run(context: click.Context, arguments: tuple[str, ...]) -> None:
        with subprocess.Popen([sys.executable, "-m", module, *arguments]) as process, handed_on(process):
            status = process.wait()
        context.exit(status if status >= 0 else 128 - status)

    command = click.command(
        name,
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
        help=summary,
        short_help=summary,
    )
    return command(click.argument("arguments", nargs=-1, type=click.UNPROCESSED)(click.pass_context(run)))
