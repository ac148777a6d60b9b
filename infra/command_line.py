"""How a command line of `infra` ends: with a line for a foreseen error, and the exit status for each end."""

import sys

import click

_INTERRUPTED = 130


def run_command_line(
    main: click.Command, program: str, foreseen: tuple[type[Exception], ...], stopped: str
) -> None:
    """Run a command and end this process as the command ended.

    Args:
        main: The command.
        program: How it is called in its own help.
        foreseen: Errors whose text is for the user.
        stopped: What is said after an interrupt, as a sentence.
    """
    try:
        main(standalone_mode=False, prog_name=program)
    except foreseen as error:
        click.echo(f"piray: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"piray: stopped; {stopped}", err=True)
        sys.exit(_INTERRUPTED)
