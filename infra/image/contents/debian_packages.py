"""The locked packages of Debian: downloaded, compared with their sums, and unpacked."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from infra.download import fetch
from infra.image.contents.deb import unpack
from infra.image.problems import ImageError

ARCHIVE = "https://deb.debian.org"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+\.deb)")
_AT_ONCE = 4


@dataclass(frozen=True)
class Package:
    """A package in a lock.

    Attributes:
        sha256: Of the file.
        path: From the root of Debian's archive.
    """

    sha256: str
    path: str

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.path.rpartition("/")[2]


def read_lock(text: str) -> list[Package]:
    """Return the packages of a lock, in its order.

    Raises:
        ImageError: With every line that is none.
    """
    found = {line: _LINE.fullmatch(line) for line in text.splitlines()}
    wrong = [line for line, match in found.items() if match is None]
    if wrong:
        raise ImageError(
            f"the lock of Debian packages has lines that are not `SHA256  PATH.deb`: {'; '.join(wrong)}"
        )
    return [Package(match[1], match[2]) for match in found.values() if match]


def download(packages: list[Package], source: str, cache: Path) -> Iterator[Path]:
    """Yield the file of each package, in their order.

    Args:
        packages: From a lock.
        source: Address of the archive, without a trailing slash.
        cache: Where files are kept; those that are there are not downloaded again.

    Raises:
        DownloadError: If one cannot be had, or is another one.
    """

    def get(package: Package) -> Path:
        file = cache / package.file
        fetch(f"{source}/{quote(package.path)}", file, package.sha256)
        return file

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(get, packages)


def install(lock: str, source: str, cache: Path, tree: Path) -> None:
    """Unpack all packages of a lock into a tree.

    Args:
        lock: Its text.
        source: Address of the archive, without a trailing slash.
        cache: Where files are kept.
        tree: A directory that stands for the image's root.

    Raises:
        DownloadError: If a package cannot be had.
        ImageError: If one cannot be unpacked.
    """
    for file in download(read_lock(lock), source, cache):
        unpack(file, tree)
