"""Checks a mirror without the network: what is missing or damaged, all at once."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from infra.download import sha256_of
from infra.k3s.release import WHEELS_FOLDER
from infra.mirror.contents import Wanted, image_names, images_folder, read_sums
from infra.mirror.image import wrong_image

_REMEDY = "run piray mirror without --check on a machine with internet"


def check(directory: Path, wanted: Wanted) -> list[str]:
    """Return what a mirror lacks, or has wrong, each with the remedy; empty if a class can begin.

    Args:
        directory: The mirror.
        wanted: What it has to hold.
    """
    return [f"{problem}; {_REMEDY}" for problem in _problems(directory, wanted)]


def _problems(directory: Path, wanted: Wanted) -> Iterator[str]:
    release, folder = wanted.release(None), directory / wanted.k3s_version
    sums = _sums(folder / wanted.sums_name)
    for names, what in (
        ([release.binary_name], "the program k3s"),
        (wanted.images_names, "the images of k3s"),
    ):
        yield from _checked(folder, names, sums, what)
    script = directory / "install.sh"
    if not script.is_file():
        yield f"{script}: the install script of k3s is missing"
    elif sha256_of(script) != wanted.install_script_sha256:
        yield f"{script} has the SHA-256 {sha256_of(script)}, not {wanted.install_script_sha256}"
    images = images_folder(directory)
    for what, image in wanted.images.items():
        yield from _image(images, wanted, image, what)
    for path, sha256 in wanted.definitions.items():
        if sha256_of(directory / path) != sha256:
            yield f"{directory / path}: a definition of KubeRay's: missing or damaged"
    if wanted.packages:
        yield from _wheels(directory / WHEELS_FOLDER, wanted)


def _checked(folder: Path, names: Sequence[str], sums: Mapping[str, str], what: str) -> Iterator[str]:
    """Check that one of some files is there, and is what its sum says."""
    there = [name for name in names if (folder / name).is_file()]
    if not there:
        yield f"{folder / names[0]}: {what}: missing"
        return
    name = there[0]
    if name not in sums:
        yield f"{folder / name}: {what}: no list beside it has its sum"
    elif sha256_of(folder / name) != sums[name]:
        yield f"{folder / name}: {what}: damaged, its SHA-256 is not {sums[name]}"


def _image(folder: Path, wanted: Wanted, image: str, what: str) -> Iterator[str]:
    names = image_names(image)
    wrong = [*_checked(folder, names, _sums(folder / wanted.sums_name), what)]
    yield from wrong
    for file in (folder / name for name in names):
        if not wrong and file.is_file() and (problem := wrong_image(file, image, wanted.arch)):
            yield problem


def _wheels(folder: Path, wanted: Wanted) -> Iterator[str]:
    sums = _sums(folder / wanted.sums_name)
    if not sums:
        yield f"{folder}: the wheels of {', '.join(wanted.packages)} are missing"
    for name, digest in sums.items():
        if sha256_of(folder / name) != digest:
            yield f"{folder / name}: a wheel: missing or damaged"


def _sums(path: Path) -> dict[str, str]:
    return read_sums(path.read_text()) if path.is_file() else {}
