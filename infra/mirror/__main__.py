"""`python -m infra.mirror DIR`, which is what `piray mirror DIR` runs."""

import sys
from pathlib import Path

import click

from infra.command_line import run_command_line
from infra.config.problems import ConfigError
from infra.mirror.archive import take
from infra.mirror.check import check
from infra.mirror.contents import Wanted, wanted_by
from infra.mirror.fill import fill
from infra.mirror.problems import MirrorError

PROGRAM = "piray mirror"

PROJECT_DIR = Path(__file__).resolve().parents[2]


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Download nothing; say what is missing or damaged.")
@click.option(
    "--stack",
    metavar="NAME",
    help="The stack of the class, or its file; without it the defaults of piray are taken.",
)
@click.option("--arch", type=click.Choice(["arm64", "amd64"]), help="Processor of the hosts.")
@click.option("--k3s-version", "version", help="Release of k3s.")
@click.option("--image", help="The Ray image.")
@click.option("--mode", type=click.Choice(["deployments", "kuberay"]), help="How Ray's pods are run.")
@click.option("--install-script-sha256", "sha256", help="Sum of k3s's install script.")
@click.option(
    "--archive",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An archive of the Ray image, as `piray image build` writes it; else the stack's, if it has one.",
)
@click.option("--from", "source", metavar="URL", help="Another mirror, instead of the releases on GitHub.")
def main(
    directory: Path,
    *,
    only_check: bool,
    stack: str | None,
    archive: Path | None,
    source: str | None,
    **overrides: str | None,
) -> None:
    """Fill DIRECTORY with all that hosts without internet need, for `k3s.mirror` in their stack file.

    It can be run again: what is there and right is kept, and a download that was cut off goes on.
    """
    if source is not None and not source.startswith(("http://", "https://")):
        raise click.UsageError(f"--from {source} is no URL; give one that begins with http:// or https://")
    wanted = wanted_by(_stack_file(stack) if stack else None, **overrides)
    if archive is None and wanted.archive is not None:
        # As `make up` reads it, which runs in the project's folder.
        archive = PROJECT_DIR / wanted.archive
    if archive is not None and not only_check:
        take(archive, directory, wanted)
    if only_check:
        problems = check(directory, wanted)
    else:
        problems = fill(directory, wanted, source.rstrip("/") if source else None, click.echo)
    for problem in problems:
        click.echo(f"piray: {problem}", err=True)
    if problems:
        sys.exit(1)
    click.echo(_ready(directory, wanted))


def _stack_file(stack: str) -> Path:
    """Return the file of a stack, which is given by its name or as the file itself."""
    named, given = PROJECT_DIR / f"Pulumi.{stack}.yaml", Path(stack)
    for file in (named, given):
        if file.is_file():
            return file
    there = ", ".join(sorted(path.name for path in PROJECT_DIR.glob("Pulumi.*.yaml")))
    raise click.UsageError(
        f"--stack {stack}: there is neither a file {named.name} in the project nor one called {stack}; "
        f"stack files that are there: {there}"
    )


def _ready(directory: Path, wanted: Wanted) -> str:
    return (
        f"{directory} has all that {wanted.arch} hosts need. In the class, serve it to them:\n"
        f"  python3 -m http.server --directory {directory} 8000\n"
        "and write into the stack file, with that machine's address:\n"
        "  piray:k3s:\n"
        f"    version: {wanted.k3s_version}\n"
        "    mirror: http://ADDRESS:8000"
    )


if __name__ == "__main__":
    run_command_line(main, PROGRAM, (ConfigError, MirrorError), "run it again to go on.")
