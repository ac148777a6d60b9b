"""`piray image`: the Ray image as an archive, by a process of `infra`."""

import subprocess
import sys

import click


@click.command(
    "image",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Make the Ray image as an archive, without Docker.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Make the Ray image as an archive, without Docker."""
    done = subprocess.run([sys.executable, "-m", "infra.image", *arguments], check=False)
    context.exit(done.returncode)
