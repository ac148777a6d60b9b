"""`python -m infra.init NAME …`, which `piray init` calls: makes a stack file, or prepares its Pis' cards."""

import shlex
import sys
from typing import Any

import click

from infra.config.problems import InvalidValueError, show_value
from infra.init.dialogue.command import words_to_go_on
from infra.init.dialogue.options import Options, init_options
from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import InitError, check_stack_name
from infra.init.session import run

EXIT_WRONG, EXIT_INTERRUPTED = 2, 130


@click.command("piray init")
@init_options
def command(**given: Any) -> None:
    """Make Pulumi.NAME.yaml: ask for your Pis, show their host keys to be compared, and look at them.

    With --cards, write cloud-init's user-data, network-config and meta-data for each Pi. Every question has
    an option. Without a terminal, or with --yes, nothing is asked.
    """
    options = Options(**given)
    questions = Questions(interactive=sys.stdin.isatty() and not options.yes)
    try:
        check_stack_name(options.name)
        status = run(options, questions)
    except InvalidValueError as error:
        click.echo(f"piray: {show_value(options.name)} {error.rule}.\n    {error.remedy}", err=True)
        sys.exit(EXIT_WRONG)
    except InitError as error:
        click.echo(f"piray: {error}", err=True)
        _tell_how_to_go_on(options, questions)
        sys.exit(EXIT_WRONG)
    except (click.Abort, KeyboardInterrupt):
        click.echo("\npiray: stopped; nothing was written.", err=True)
        _tell_how_to_go_on(options, questions)
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(status)


def _tell_how_to_go_on(options: Options, questions: Questions) -> None:
    """Say which command has all answers that were given, so that none is asked for twice."""
    if questions.interactive and questions.said:
        said = shlex.join(words_to_go_on(options, questions.said))
        click.echo(f"Your answers so far, to go on from:\n  {said}", err=True)


if __name__ == "__main__":
    command(prog_name="piray init")
