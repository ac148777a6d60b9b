"""`piray doctor`: starts the doctor, which belongs to the other half of the project."""

import subprocess
import sys

import click

from workloads.runner.stack_outputs import find_project


@click.command("doctor")
@click.argument("stack")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--no-write-test", is_flag=True, help="Leave out how fast the hosts' cards are.")
@click.pass_context
def command(context: click.Context, *, stack: str, as_json: bool, no_write_test: bool) -> None:
    """Look at all hosts of a stack and say what would go wrong; changes nothing.

    The exit status is 0 without errors, 1 with errors, 2 if it cannot look.
    """
    options = [*["--json"] * as_json, *["--no-write-test"] * no_write_test]
    done = subprocess.run(
        [sys.executable, "-m", "infra.doctor", *options, "--", stack], cwd=find_project(), check=False
    )
    context.exit(done.returncode)
