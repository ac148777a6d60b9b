"""Commands of `piray` that a process of `infra` carries out, with all that is given to them."""

import subprocess
import sys

import click


def forwarded(name: str, module: str, summary: str) -> click.Command:
    """Return a command that hands its arguments on, help included, and ends as the process does.

    Args:
        name: Name of the command.
        module: What `python -m` runs.
        summary: What it does, as a sentence.
    """

    def run(context: click.Context, arguments: tuple[str, ...]) -> None:
        done = subprocess.run([sys.executable, "-m", module, *arguments], check=False)
        context.exit(done.returncode)

    command = click.command(
        name,
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
        help=summary,
        short_help=summary,
    )
    return command(click.argument("arguments", nargs=-1, type=click.UNPROCESSED)(click.pass_context(run)))
