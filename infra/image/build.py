"""The way from locks to an archive: trees, layers, description, file; whole, or not at all."""

import fcntl
import glob
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from infra.image import check
from infra.image.archive.layer import Layer, write_layer
from infra.image.archive.oci import Image, describe, write_archive
from infra.image.contents import debian_packages, system, wheels
from infra.image.contents.bytecode import check_python, compile_modules
from infra.image.contents.kernels import FOLDER as KERNELS
from infra.image.contents.kernels import compile_kernels
from infra.image.contents.left_out import leave_out
from infra.image.problems import ImageError
from infra.image.target import Target
from infra.image_inputs import REPOSITORY
from infra.versions import RAY

# The layers are filled and packed beside each other, each in the same way as alone.
_AT_ONCE = 4
# The trees, and the archive twice for a moment.
ROOM = 2 << 30
_LOCKS = Path("images/ray")
# In the folder of a build, and locked as long as that goes on.
_MARK = ".piray-image-build"
_RUN = {
    "User": f"{system.UID}:{system.GID}",
    "WorkingDir": f"/{system.HOME}",
    "Cmd": ["python"],
    "Env": [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        f"HOME=/{system.HOME}",
        f"PIRAY_KERNELS=/{KERNELS}",
    ],
}

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an image is made from.

    Attributes:
        project: The project's root.
        target: The image's processor.
        source: Address of Debian's archive, without a trailing slash.
        cache: Where Debian's packages are kept.
        name: Reference with a tag; empty for one that follows from the contents.
    """

    project: Path
    target: Target
    source: str
    cache: Path
    name: str = ""

    def lock(self, name: str) -> str:
        """Return the text of a lock."""
        return (self.project / _LOCKS / name).read_text()


@dataclass(frozen=True)
class Made:
    """An image that has been made.

    Attributes:
        name: Reference with a tag.
        image: Its description; the files of its layers are gone.
        left_out: Bytes that each kind of file had that the image does not hold.
        checked: What its programs and libraries say.
    """

    name: str
    image: Image
    left_out: dict[str, int]
    checked: check.Verdict


def build(recipe: Recipe, output: Path, say: Say) -> Made:
    """Make an image.

    Args:
        recipe: What it is made from.
        output: The archive; nothing may be there yet.
        say: Gets one line for each step.

    Raises:
        ImageError: If it cannot be made. Nothing is left then.
        DownloadError: If a package of Debian's cannot be had.
    """
    check_python()
    with _workshop(output) as folder:
        trees, left_out = _fill(recipe, folder, say)
        verdict = check.check(trees.values(), recipe.target)
        if verdict.problems:
            raise ImageError("; ".join(verdict.problems))
        layers = list(_layers(trees, say))
        image = describe(layers, recipe.target, _RUN)
        name = recipe.name or f"{REPOSITORY}:{RAY}-{image.digest[:12]}"
        write_archive(image, name, folder / "archive")
        (folder / "archive").rename(output)
    return Made(name, image, dict(left_out), verdict)


def _fill(recipe: Recipe, folder: Path, say: Say) -> tuple[dict[str, Path], Counter[str]]:
    """Return the trees of all layers, in their order, and the bytes that were left out of them."""

    def fill(numbered: tuple[int, tuple[str, Callable[[Path], bool]]]) -> tuple[str, Path, dict[str, int]]:
        number, (what, put_into) = numbered
        tree = folder / f"tree{number}"
        tree.mkdir()
        return (what, tree, leave_out(tree)) if put_into(tree) else ("", tree, {})

    trees: dict[str, Path] = {}
    left_out: Counter[str] = Counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for what, tree, left in pool.map(fill, enumerate(_steps(recipe))):
            if what:
                trees[what] = tree
                left_out.update(left)
                say(f"{what}: there")
    return trees, left_out


def _layers(trees: Mapping[str, Path], say: Say) -> Iterator[Layer]:
    """Compile and pack the trees; yield them in their order."""

    def pack(what: str) -> Layer:
        compile_modules(trees[what])
        return write_layer(what, trees[what], trees[what].with_suffix(".layer"), _owner)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for layer in pool.map(pack, trees):
            say(f"{layer.what}: {_mb(layer.size)}, unpacked {_mb(layer.unpacked)}")
            yield layer


def _steps(recipe: Recipe) -> Iterator[tuple[str, Callable[[Path], bool]]]:
    """Yield what each layer is, and what fills its tree; what changes most often comes last."""
    lines = wheels.locked(recipe.lock("requirements.lock"))
    ray = [lines.pop("ray")]

    def base(tree: Path) -> bool:
        lock = recipe.lock(f"packages-{recipe.target.arch}.lock")
        debian_packages.install(lock, recipe.source, recipe.cache, tree)
        system.set_up(tree)
        return True

    def installed(chosen: list[str]) -> Callable[[Path], bool]:
        def fill(tree: Path) -> bool:
            wheels.install(chosen, recipe.target, tree)
            return True

        return fill

    yield "Debian and Python", base
    yield "wheels that Ray and the workloads need", installed(list(lines.values()))
    yield f"Ray {RAY}", installed(ray)
    yield "kernels for the Pis", lambda tree: compile_kernels(recipe.project, recipe.target, tree)


def _owner(path: str) -> tuple[int, int]:
    return (system.UID, system.GID) if path.startswith(system.HOME) else (0, 0)


@contextmanager
def _workshop(output: Path) -> Iterator[Path]:
    """Yield a folder on the output's disk, which is gone after the block."""
    if output.exists():
        raise ImageError(f"{output} exists already; remove it, or choose another file")
    if not output.parent.is_dir():
        raise ImageError(f"{output.parent} is no directory; make it, or choose another file")
    _clear(output)
    free = shutil.disk_usage(output.parent).free
    if free < ROOM:
        raise ImageError(
            f"{output.parent} has {_mb(free)} left; the image takes {_mb(ROOM)} while it is made; "
            "make room, or choose a file on another disk"
        )
    try:
        with (
            tempfile.TemporaryDirectory(prefix=_prefix(output), dir=output.parent) as folder,
            (Path(folder) / _MARK).open("w") as mark,
        ):
            fcntl.flock(mark, fcntl.LOCK_EX)
            yield Path(folder)
    except OSError as error:
        raise ImageError(
            f"{error.filename or output} cannot be written ({error.strerror}); make room there, or choose "
            "another file"
        ) from None


def _prefix(output: Path) -> str:
    return f".{output.name}-"


def _clear(output: Path) -> None:
    """Remove what a build of the same archive has left that was killed, by a power cut say."""
    for mark in output.parent.glob(f"{glob.escape(_prefix(output))}*/{_MARK}"):
        with mark.open() as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(mark.parent)


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
