"""The `piray` command: which commands there are, and how a foreseen error ends one."""

from typing import Any

import click

from workloads.cli import demo, jobs
from workloads.cli.runs import connectivity, mandelbrot, nodes, pi, sweep
from workloads.cli.stacks import doctor, image, init, mirror
from workloads.cli.watching import dashboard, listing, status
from workloads.runner.signals import EXIT_INTERRUPTED, interruptible

# An error of a class that is ours says in one line what to do; any other one is a fault of piray's.
OURS = __name__.partition(".")[0]


class _Group(click.Group):
    """Turns what can be foreseen into a message and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            with interruptible():
                return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("piray: stopped.", err=True)
            context.exit(EXIT_INTERRUPTED)
        except Exception as error:
            if type(error).__module__.partition(".")[0] != OURS:
                raise
            for line in getattr(error, "log", ()):
                click.echo(f"  | {line}", err=True)
            click.echo(f"piray: {error}", err=True)
            context.exit(1)


@click.group(cls=_Group)
@click.version_option(package_name="piray")
def main() -> None:
    """Show what a cluster of Raspberry Pis running Ray can do."""


@main.group()
def run() -> None:
    """Run a workload on the cluster of a stack, or on this machine where no stack is named."""


run.add_command(mandelbrot.command)
run.add_command(pi.command)
run.add_command(connectivity.command)
run.add_command(nodes.command)
main.add_command(sweep.command)
main.add_command(jobs.submit)
main.add_command(jobs.list_jobs)
main.add_command(jobs.logs)
main.add_command(jobs.stop)
main.add_command(listing.command)
main.add_command(status.command)
main.add_command(dashboard.command)
main.add_command(demo.command)
main.add_command(init.command)
main.add_command(doctor.command)
main.add_command(image.command)
main.add_command(mirror.command)
