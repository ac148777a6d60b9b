"""The archive on the user's machine: the one that the stack names, or one that is built now and kept."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.config.ray_image import ImageSource
from infra.delivery.problems import DeliveryError
from infra.download import DownloadError, sha256_of
from infra.image.build import Recipe, build
from infra.image.contents.debian_packages import ARCHIVE
from infra.image.problems import ImageError
from infra.image.target import TARGETS
from infra.image_inputs import DOCKERFILE, PROJECT
from infra.mirror.image import wrong_image
from infra.user_cache import cache_directory

_AGAIN = "then run make up again"


@dataclass(frozen=True)
class Archive:
    """A file that holds the image.

    Attributes:
        file: Where it is.
        size: In bytes.
        sha256: Of the whole file, in hex.
    """

    file: Path
    size: int
    sha256: str


def archive_file(source: ImageSource, image: str) -> Path:
    """Return where the archive of a source is, or will be.

    Args:
        source: An archive, or one that is built.
        image: Reference of the image.
    """
    if source.kind == "archive":
        return Path(source.file or "").expanduser()
    return cache_directory() / "images" / f"{image.translate(str.maketrans('/:', '__'))}.tar"


def archive_problem(source: ImageSource, image: str, arch: str) -> str:
    """Say why an archive cannot be used or made; empty if nothing is wrong, or it is not there.

    Args:
        source: An archive, or one that is built.
        image: Reference of the image.
        arch: "arm64" or "amd64".
    """
    file = archive_file(source, image)
    if file.exists():
        wrong = wrong_image(file, image, arch)
        return f"{wrong}; give the right file in piray:ray.image.file" if wrong else ""
    if source.kind == "build" and source.builder != "piray" and shutil.which(source.builder) is None:
        return (
            f"{source.builder} is not on PATH, and piray:ray.image.builder names it; install it, or delete "
            "the line: piray builds the image itself"
        )
    return ""


def find_archive(source: ImageSource, image: str, arch: str, say: Callable[[str], None]) -> Archive:
    """Return the archive; build it if that is its source and it has not been built yet.

    Args:
        source: An archive, or one that is built.
        image: Reference of the image.
        arch: "arm64" or "amd64".
        say: Gets one line for each step of a build.

    Raises:
        DeliveryError: If it is not there, is another one, or cannot be built.
    """
    file = archive_file(source, image)
    if problem := archive_problem(source, image, arch):
        raise DeliveryError([f"piray: {problem}"])
    if not file.exists():
        if source.kind == "archive":
            raise DeliveryError(
                [
                    f"piray: {file} is not there, and no Pi has {image} yet; the image comes from this file; "
                    f"make it with `piray image build`, or give another one in piray:ray.image.file; {_AGAIN}"
                ]
            )
        say(f"{image} is built on this machine, once; that takes some minutes")
        _build(source, image, arch, file, say=say)
    return Archive(file, file.stat().st_size, sha256_of(file))


def _build(source: ImageSource, image: str, arch: str, file: Path, *, say: Callable[[str], None]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if source.builder == "piray":
        recipe = Recipe(
            project=PROJECT,
            target=TARGETS[arch],
            source=ARCHIVE,
            cache=cache_directory() / "debian",
            name=image,
        )
        try:
            build(recipe, file, say)
        except (ImageError, DownloadError) as error:
            raise DeliveryError([f"piray: {error}; {_AGAIN}"]) from None
        return
    part = file.with_name(f".{file.name}.part")
    try:
        for command in _builder_commands(source.builder, image, arch, part):
            part.unlink(missing_ok=True)
            done = subprocess.run(
                command, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode:
                said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
                raise DeliveryError([f"piray: `{' '.join(command[:3])} …` failed: {said[0]}; {_AGAIN}"])
        if wrong := wrong_image(part, image, arch):
            raise DeliveryError([f"piray: {source.builder} has made another image: {wrong}"])
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _builder_commands(builder: str, image: str, arch: str, file: Path) -> Sequence[list[str]]:
    made = [f"--platform=linux/{arch}", f"--file={DOCKERFILE}", f"--tag={image}"]
    if builder == "docker":
        return [["docker", "buildx", "build", *made, f"--output=type=docker,dest={file}", "."]]
    # Podman compresses the layers of this format, and not those of Docker's: a third of the bytes is sent.
    return [
        ["podman", "build", *made, "."],
        ["podman", "save", "--format=oci-archive", f"--output={file}", image],
    ]
