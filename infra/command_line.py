"""How a command line of `infra` ends: with a line for a foreseen error, and the exit status for each end."""

import signal
import sys
from types import FrameType
from typing import NoReturn

import click

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
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


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Interrupt the command, once: Ctrl-C comes from the terminal, and again from `piray`."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
