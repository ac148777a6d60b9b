"""`piray demo NAME`: Ray's ideas, each shown by a small program whose source can be read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

import workloads
from workloads.cli.closing import print_notes
from workloads.cli.options import Place, target_options
from workloads.protocol.demos import DEMOS, source_file
from workloads.protocol.events import Event
from workloads.protocol.specs import DemoSpec
from workloads.runner.follow import watch


@click.group("demo", invoke_without_command=True)
@click.option("--list", "listed", is_flag=True, help="List the demos, one line each, and exit.")
@click.pass_context
def command(context: click.Context, listed: bool) -> None:
    """Show one of Ray's ideas by a small program on the cluster of a stack, or on this machine.

    The program says what happens where, checks it, and lists what Ray knows of it.
    """
    if listed:
        width = max(map(len, DEMOS))
        for name, line in DEMOS.items():
            click.echo(f"{name:{width}}  {line}")
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit()


def _demo(name: str, line: str) -> click.Command:
    @click.command(name, help=f"Show {line}.", short_help=line)
    @click.option("--source", is_flag=True, help="Print the program instead of running it.")
    @target_options
    def demo(*, source: bool, place: Place) -> None:
        if source:
            _print_source(name)
        else:
            _run(name, place)

    return demo


for _name, _line in DEMOS.items():
    command.add_command(_demo(_name, _line))


def _print_source(name: str) -> None:
    text = (Path(workloads.__path__[0]) / source_file(name)).read_text(encoding="utf-8")
    console = Console()
    if console.is_terminal:
        console.print(Syntax(text, "python", background_color="default"))
    else:
        click.echo(text, nl=False)


def _run(name: str, place: Place) -> None:
    target, console = place.target(), Console()
    click.echo(f"piray: starting the demo {name} on {target.name} …", err=True)
    report = watch(target.run(DemoSpec(name=name)), "", console, lambda event: _tell(event, console))
    print_notes(console, report.notes)


def _tell(event: Event, console: Console) -> None:
    """Print what a demo tells, as soon as it does."""
    values = event.values
    match event.kind:
        case "nodes":
            nodes = [f"{node['name']} with {_cpus(node['cpus'])}" for node in values["nodes"]]
            _print(console, f"Ray runs on {', '.join(nodes)}.\n")
        case "said":
            _print(console, values["text"])
        case "checked":
            _print(console, f"{'Checked' if values['happened'] else 'NOT TRUE'}: {values['claim']}.")
        case "listed":
            console.print()
            console.print(_table(values))
        case _:
            pass


def _cpus(count: int) -> str:
    return f"{count} CPU{'s' * (count != 1)}"


def _print(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _table(values: Mapping[str, Any]) -> Table:
    more = f", the first {len(values['rows'])} of {values['of']}" * (values["of"] > len(values["rows"]))
    table = Table(title=f"piray list {values['what']}{more}", title_justify="left")
    for column in values["columns"]:
        table.add_column("NODE" if column == "node_id" else column.upper(), overflow="fold")
    for row in values["rows"]:
        table.add_row(*map(Text, row))
    return table
