"""Whether an image can run where it is meant to, as far as its programs and libraries say so; none is run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.image.archive import elf
from infra.image.target import Target


@dataclass(frozen=True)
class Verdict:
    """What a look at all programs and libraries has found.

    Attributes:
        count: How many there are.
        problems: What keeps the image from running.
        coarse: Those that a kernel with larger pages than 4 KiB cannot load.
    """

    count: int
    problems: tuple[str, ...]
    coarse: tuple[str, ...]


def check(trees: Iterable[Path], target: Target) -> Verdict:
    """Look at every program and library of an image.

    Args:
        trees: Directories that stand for the image's root, one for each layer.
        target: The image's processor.
    """
    trees = list(trees)
    found = {name: file for tree in trees for name, file in _elves(tree)}
    there = {name.rpartition("/")[2] for name in found} | _links(trees)
    problems = []
    for name, file in found.items():
        if file.machine != target.elf_machine:
            problems.append(
                f"/{name} is for another processor (ELF machine {file.machine}), not for {target.arch}"
            )
        lacking = [library for library in file.needed if library not in there]
        if lacking:
            problems.append(f"/{name} needs {', '.join(lacking)}, which the image lacks")
    page = max(target.page_sizes)
    coarse = tuple(f"/{name}" for name, file in found.items() if file.alignment < page)
    return Verdict(len(found), tuple(problems), coarse)


def _elves(tree: Path) -> Iterator[tuple[str, elf.Elf]]:
    for path in sorted(tree.rglob("*")):
        if path.is_file() and not path.is_symlink() and (file := elf.read(path)):
            yield path.relative_to(tree).as_posix(), file


def _links(trees: Iterable[Path]) -> set[str]:
    return {path.name for tree in trees for path in tree.rglob("*.so*") if path.is_symlink()}
