"""`piray status`: what the cluster of a stack does, what waits there, and what is wrong with the remedy."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console

from workloads.cli.options import cluster_options

if TYPE_CHECKING:
    from workloads.runner.target import StackTarget

_NOT_WELL = 1


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@cluster_options
def command(*, as_json: bool, target: "StackTarget") -> None:
    """Say what the cluster does, what waits, and what is wrong.

    Asks Kubernetes and Ray; if one of them is silent, the other is shown. The exit status is 1 if something
    is wrong now or could not be asked, else 0.
    """
    from workloads.cli.watching.status_report import print_status  # noqa: PLC0415
    from workloads.runner.cluster_state.status import read_status  # noqa: PLC0415

    found = read_status(target)
    if as_json:
        click.echo(json.dumps({"is_well": found.is_well, **asdict(found)}, indent=2, ensure_ascii=False))
    else:
        print_status(found, Console())
    if not found.is_well:
        raise click.exceptions.Exit(_NOT_WELL)
