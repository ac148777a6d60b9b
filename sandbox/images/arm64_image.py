"""The Ray image for Pis, as `piray image build` makes it: as an archive, and in the store of a registry."""

import platform
from importlib.metadata import version
from pathlib import Path

from infra.download import DownloadError
from infra.image.build import Recipe, build
from infra.image.contents.debian_packages import ARCHIVE
from infra.image.problems import ImageError
from infra.image.target import TARGETS
from infra.image_inputs import PROJECT, context_files
from infra.user_cache import cache_directory
from infra.versions import RAY
from sandbox.images.push import push
from sandbox.images.registry import pushed
from sandbox.machine.cache import cached
from sandbox.machine.process import SandboxError

REPOSITORY = "piray/ray-arm64"
TAG = f"{RAY}-1"
_ARCH = "arm64"
# What the image's contents follow from, beside the Dockerfile's files and what compiles and unpacks them.
_SOURCES = ("images/ray", "infra/image", "infra/versions.py")
_MAKERS = ("llvmlite", "numba", "numpy", "pip", "zstandard")


def arm64_archive() -> Path:
    """Return the archive, made on the first call: two to four minutes with two cores.

    Raises:
        SandboxError: If the packages cannot be had, or this Python is not the image's.
    """
    return cached("arm64-image", _inputs(), _build) / "image.tar"


def arm64_store() -> Path:
    """Return the store of a registry that holds the image as REPOSITORY:TAG.

    Raises:
        SandboxError: If the image cannot be made.
    """
    archive = arm64_archive()

    def make(folder: Path) -> None:
        with pushed(folder) as address:
            push(archive, address, REPOSITORY, TAG)

    recipe = [Path(__file__).with_name("push.py")]
    return cached("arm64-store", [*_inputs(), *recipe, REPOSITORY, TAG], make)


def _inputs() -> list[str | Path]:
    makers = [f"{name} {version(name)}" for name in _MAKERS]
    sources = (PROJECT / name for name in (*_SOURCES, *context_files()))
    return [platform.python_version(), *makers, *sources]


def _build(folder: Path) -> None:
    recipe = Recipe(
        project=PROJECT, target=TARGETS[_ARCH], source=ARCHIVE, cache=cache_directory() / "debian"
    )
    try:
        build(recipe, folder / "image.tar", lambda _: None)
    except (ImageError, DownloadError) as error:
        raise SandboxError(f"the Ray image for arm64 cannot be made: {error}") from error
