"""`piray doctor`: starts the doctor, which belongs to the other half of the project."""

import subprocess
import sys

import click

from workloads.runner.stack_outputs import find_project


@click.command("doctor")
@click.argument("stack", required=False)
@click.option("--stack", "named", metavar="NAME", help="The same as STACK.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--no-write-test", is_flag=True, help="Leave out how fast the hosts' cards are.")
@click.pass_context
def command(
    context: click.Context, *, stack: str | None, named: str | None, as_json: bool, no_write_test: bool
) -> None:
    """Look at all hosts of STACK and say what would go wrong; changes nothing.

    The exit status is 0 without errors, 1 with errors, 2 if it cannot look.
    """
    if (stack is None) == (named is None):
        raise click.UsageError("give the name of one stack, as in `piray doctor home`")
    options = [*["--json"] * as_json, *["--no-write-test"] * no_write_test]
    name = stack or named or ""
    done = subprocess.run(
        [sys.executable, "-m", "infra.doctor", *options, "--", name], cwd=find_project(), check=False
    )
    context.exit(done.returncode)
