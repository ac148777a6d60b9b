"""`python -m infra.image`, which is what `piray image` runs."""

from pathlib import Path

import click

from infra.command_line import run_command_line
from infra.config.problems import InvalidValueError
from infra.config.values.fields import check_image
from infra.download import DownloadError
from infra.image.build import Made, Recipe, build
from infra.image.contents.debian_packages import ARCHIVE
from infra.image.problems import ImageError
from infra.image.target import TARGETS
from infra.user_cache import cache_directory

PROGRAM = "piray image"

PROJECT_DIR = Path(__file__).resolve().parents[2]


@click.group()
def main() -> None:
    """Make the Ray image, without Docker."""


@main.command("build")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--arch", type=click.Choice(sorted(TARGETS)), default="arm64", help="Processor; arm64 for Pis.")
@click.option(
    "--name", default="", help="Name of the image, with a tag; else one that follows from its contents."
)
@click.option("--from", "source", default=ARCHIVE, metavar="URL", help="A mirror of Debian's archive.")
def build_command(output: Path, *, arch: str, name: str, source: str) -> None:
    """Write the Ray image to OUTPUT, an archive as `docker load`, containerd and k3s read it."""
    if not source.startswith(("http://", "https://")):
        raise click.UsageError(f"--from {source} is no URL; give one that begins with http:// or https://")
    if name:
        try:
            check_image(name)
        except InvalidValueError as error:
            raise click.UsageError(f"--name {name} {error}") from None
    recipe = Recipe(
        project=PROJECT_DIR,
        target=TARGETS[arch],
        source=source.rstrip("/"),
        cache=cache_directory() / "debian",
        name=name,
    )
    made = build(recipe, output, click.echo)
    click.echo(_report(made, output))


def _report(made: Made, output: Path) -> str:
    left = (f"  {size / 1e6:7.1f} MB  {what}" for what, size in made.left_out.items() if size)
    pages = (
        f"Not for kernels with pages of 16 KiB: {', '.join(made.checked.coarse)}"
        if made.checked.coarse
        else f"All {made.checked.count} programs and libraries are for this processor and its kernels' pages."
    )
    return "\n".join(
        [
            "Left out:",
            *left,
            pages,
            f"{output}: {output.stat().st_size / 1e6:.0f} MB, {made.name}",
            f"Digest: sha256:{made.image.digest}",
            "For the stack file:",
            "  piray:ray:",
            "    image:",
            "      source: archive",
            f"      file: {output}",
            f"      reference: {made.name}",
        ]
    )


if __name__ == "__main__":
    run_command_line(main, PROGRAM, (ImageError, DownloadError), "nothing is left of it but downloads.")
