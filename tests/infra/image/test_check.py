from pathlib import Path

import pytest

from infra.image.check import check
from infra.image.target import TARGETS
from tests.infra.image.ingredients import elf


def look(tmp_path: Path, arch: str, **libraries: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tree = tmp_path / "tree"
    (tree / "usr/lib").mkdir(parents=True)
    for name, content in libraries.items():
        (tree / "usr/lib" / f"{name}.so").write_bytes(content)
    (tree / "usr/lib/link.so.1").symlink_to("one.so")
    (tree / "usr/lib/text").write_text("no library")
    verdict = check([tree], TARGETS[arch])
    assert verdict.count == len(libraries)
    return verdict.problems, verdict.coarse


def test_libraries_that_find_each_other_are_right(tmp_path: Path) -> None:
    two = elf("arm64", needed=("one.so", "link.so.1"))
    assert look(tmp_path, "arm64", one=elf("arm64"), two=two) == ((), ())


def test_a_library_of_another_processor_is_a_problem(tmp_path: Path) -> None:
    problems, _ = look(tmp_path, "arm64", one=elf("amd64"))
    assert problems == ("/usr/lib/one.so is for another processor (ELF machine 62), not for arm64",)


def test_a_library_that_the_image_lacks_is_a_problem(tmp_path: Path) -> None:
    problems, _ = look(tmp_path, "arm64", one=elf("arm64", needed=("libgomp.so.1",)))
    assert problems == ("/usr/lib/one.so needs libgomp.so.1, which the image lacks",)


@pytest.mark.parametrize(("arch", "coarse"), [("arm64", ("/usr/lib/one.so",)), ("amd64", ())])
def test_a_library_for_small_pages_is_named_where_pages_may_be_large(
    tmp_path: Path, arch: str, coarse: tuple[str, ...]
) -> None:
    assert look(tmp_path, arch, one=elf(arch, alignment=4096)) == ((), coarse)
