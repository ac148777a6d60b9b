"""`piray dashboard`: Ray's dashboard in the user's browser, until Ctrl-C."""

import threading
from typing import TYPE_CHECKING

import click

from workloads.cli.options import cluster_options

if TYPE_CHECKING:
    from workloads.runner.target import StackTarget

_MOST = 65_535


@click.command("dashboard")
@click.option("--no-browser", is_flag=True, help="Print the link alone.")
@click.option(
    "--port",
    type=click.IntRange(1024, _MOST),
    help="Port on 127.0.0.1 of this machine.  [default: any that is free]",
)
@cluster_options
def command(*, no_browser: bool, port: int | None, target: "StackTarget") -> None:
    """Open Ray's dashboard in your browser, logged in, until Ctrl-C.

    The link opens one browser, once. It shows and changes nothing; nobody else gets in.
    """
    from workloads.runner.dashboard_page.browser import open_browser  # noqa: PLC0415
    from workloads.runner.dashboard_page.proxy import serving  # noqa: PLC0415
    from workloads.runner.jobs_api.dashboard import server_version  # noqa: PLC0415

    with target.reach() as url:
        version = server_version(url, target.outputs.ray_token)
        with serving(url, target.outputs.ray_token, port or 0) as admission:
            click.echo(admission.link)
            if no_browser or not open_browser(admission.link):
                target.tell(
                    f"the dashboard of Ray {version} on {target.name}: open the link above in a browser."
                )
            else:
                target.tell(f"the dashboard of Ray {version} on {target.name} is in your browser.")
            target.tell("Ctrl-C ends it.")
            threading.Event().wait()
