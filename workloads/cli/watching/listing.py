"""`piray list`: what Ray knows of nodes, tasks, actors, objects, placement groups and worker processes."""

import json
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from workloads.cli.options import cluster_options
from workloads.runner.cluster_state.ray.kinds import DEFAULT_ROWS, KINDS, MOST_ROWS

if TYPE_CHECKING:
    from workloads.runner.target import StackTarget


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: everything that Ray says, with whole ids.")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_ROWS),
    default=DEFAULT_ROWS,
    show_default=True,
    help="Show so many at most.",
)
@click.option(
    "--filter",
    "texts",
    multiple=True,
    metavar="KEY=VALUE",
    help="Show those alone whose field is so, or with != is not so; more than once. "
    "The keys are those of --json; the name of a node may stand for its id.",
)
@cluster_options
def command(*, kind: str, as_json: bool, limit: int, texts: tuple[str, ...], target: "StackTarget") -> None:
    """List what Ray knows, as `ray list` does on the head."""
    from workloads.cli.watching.listing_tables import listing_table  # noqa: PLC0415
    from workloads.runner.cluster_state.ray.filters import parse_filters, with_node_ids  # noqa: PLC0415
    from workloads.runner.cluster_state.ray.listing import read_listing, shortage  # noqa: PLC0415
    from workloads.runner.cluster_state.ray.nodes import names_of, read_nodes  # noqa: PLC0415
    from workloads.runner.cluster_state.status import read_hosts  # noqa: PLC0415

    filters = parse_filters(kind, texts)
    hosts = read_hosts(target)
    with target.reach() as url:
        nodes = read_nodes(url, target.outputs.ray_token, hosts)
        chosen = with_node_ids(filters, nodes)
        listing = read_listing(url, target.outputs.ray_token, kind, limit, chosen)
    notes = [note for note in (shortage(listing), *listing.warnings) if note]
    if as_json:
        click.echo(json.dumps(_document(listing, names_of(nodes)), indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(listing_table(target.name, listing, names_of(nodes)))
    for note in notes:
        console.print(note, highlight=False, markup=False)


def _document(listing: Any, names: dict[str, str]) -> dict[str, Any]:
    rows = [
        {**row, "node": names[row["node_id"]]} if row.get("node_id") in names else dict(row)
        for row in listing.rows
    ]
    return {
        "kind": listing.kind,
        "rows": rows,
        "shown": len(rows),
        "matching": listing.matching,
        "total": listing.total,
        "warnings": list(listing.warnings),
    }
