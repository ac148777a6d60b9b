"""What the packages and wheels hold, and no Ray node needs: each with its reason, and counted."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.image.archive import elf
from infra.image.contents.wheels import PACKAGES
from infra.versions import IMAGE_PYTHON

_PYTHON = rf"usr/lib/python{re.escape(IMAGE_PYTHON)}/"
_WHEELS = rf"{re.escape(PACKAGES)}/"
# Less is not worth a second look at a file.
_MIN_SYMBOLS = 32 << 10


@dataclass(frozen=True)
class Rule:
    """Files that are left out.

    Attributes:
        what: For people.
        paths: Pattern that matches the beginning of their paths from the image's root.
    """

    what: str
    paths: str


RULES = (
    Rule(
        "Debian: manuals, documentation, translations (licences stay)",
        r"usr/share/(?:man|info|locale|lintian|bug|menu|doc-base|applications|pixmaps)/"
        r"|usr/share/doc/(?![^/]+/copyright)",
    ),
    Rule("Debian: conversions between old character sets", r"usr/lib/[^/]+/gconv/"),
    Rule("Debian: time zones a second and third time", r"usr/share/zoneinfo/(?:posix|right)/"),
    Rule("Debian: single certificates (the bundle stays)", r"usr/share/ca-certificates/"),
    Rule(
        "Python: IDLE, 2to3, help texts, NIS",
        rf"{_PYTHON}(?:(?:idlelib|lib2to3|pydoc_data|turtledemo)/|lib-dynload/nis\.)",
    ),
    # numpy.testing imports one module of NumPy's tests.
    Rule("wheels: their tests", rf"{_WHEELS}(?:.+/)?tests/(?!_natype\.py|__init__\.py)"),
    Rule("wheels: headers and sources of C and Cython", rf"{_WHEELS}.+\.(?:a|c|cpp|h|hpp|pxd|pyx)$"),
    Rule("wheels: lists of their own contents (SBOM)", rf"{_WHEELS}[^/]+\.dist-info/sboms/"),
    # They need libgomp and libtbb, which Python's official image lacks, too: numba takes its own threads.
    Rule("numba: threads of OpenMP and TBB", rf"{_WHEELS}numba/np/ufunc/(?:omp|tbb)pool\."),
    Rule("Ray: Java", rf"{_WHEELS}ray/jars/"),
    Rule("Ray: source maps of the dashboard", rf"{_WHEELS}ray/dashboard/.+\.map$"),
)
SYMBOLS = "wheels: symbols of programs and libraries"


def leave_out(tree: Path) -> dict[str, int]:
    """Remove from a tree what no Ray node needs.

    Args:
        tree: A directory that stands for the image's root.

    Returns:
        The bytes that each kind had.
    """
    sizes = dict.fromkeys([*(rule.what for rule in RULES), SYMBOLS], 0)
    patterns = [(rule.what, re.compile(rule.paths)) for rule in RULES]
    for path in list(_files(tree)):
        name = path.relative_to(tree).as_posix()
        what = next((what for what, pattern in patterns if pattern.match(name)), None)
        if what is not None:
            sizes[what] += path.lstat().st_size
            path.unlink()
        elif name.startswith("usr/local/") and not path.is_symlink():
            sizes[SYMBOLS] += elf.strip(path, _MIN_SYMBOLS)
    _remove_empty(tree)
    return sizes


def _files(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*")) if path.is_symlink() or not path.is_dir())


def _remove_empty(tree: Path) -> None:
    """Remove directories that were emptied: of wheels and of Debian's documentation alone."""
    for folder in (tree / "usr/share", tree / PACKAGES):
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
                path.rmdir()
