"""`piray mirror`: a directory for classes without internet, by a process of `infra`."""

import subprocess
import sys

import click


@click.command(
    "mirror",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Fill or check a directory for a classroom without internet.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Fill or check a directory for a classroom without internet."""
    done = subprocess.run([sys.executable, "-m", "infra.mirror", *arguments], check=False)
    context.exit(done.returncode)
