"""A Debian package unpacked into a tree, without running its scripts and without dpkg.

Format: https://manpages.debian.org/bookworm/dpkg-dev/deb.5.en.html
"""

import io
import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from infra.image.problems import ImageError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_NAME, _SIZE = slice(0, 16), slice(48, 58)
# Debian's directories that are links into /usr, and which packages still name. https://wiki.debian.org/UsrMerge
MERGED = ("bin", "lib", "lib64", "sbin")


def unpack(deb: Path, tree: Path) -> None:
    """Add the files of a package to a tree; all become the user's own.

    Args:
        deb: The package.
        tree: A directory that stands for the image's root, without Debian's links into /usr.

    Raises:
        ImageError: If the file is no package, or holds what no image needs, as devices.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_data(deb.read_bytes()))) as data:
            for member in data:
                _add(data, member, tree)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ImageError(f"{deb} is no Debian package that can be read ({error}); remove it") from None


def _data(content: bytes) -> bytes:
    """Return the compressed tar with the package's files."""
    if not content.startswith(_MAGIC):
        raise ValueError("it does not begin as one")
    at = len(_MAGIC)
    while at < len(content):
        header = content[at : at + _HEADER]
        size = int(header[_SIZE])
        at += _HEADER
        if at + size > len(content):
            raise ValueError("it is cut off")
        if header[_NAME].startswith(b"data.tar"):
            return content[at : at + size]
        at += size + size % 2
    raise ValueError("it has no data.tar")


def _add(data: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    path = tree / _place(member.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        path.mkdir(exist_ok=True)
        path.chmod(member.mode & 0o1777 | 0o700)
    elif member.issym():
        path.unlink(missing_ok=True)
        path.symlink_to(member.linkname)
    elif member.islnk():
        path.unlink(missing_ok=True)
        os.link(tree / _place(member.linkname), path, follow_symlinks=False)
    elif (file := data.extractfile(member)) is not None:
        path.unlink(missing_ok=True)
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        path.chmod(member.mode & 0o777 | 0o600)
    else:
        raise ValueError(f"{member.name} is neither a file nor a directory nor a link")


def _place(name: str) -> PurePosixPath:
    """Return where a file of a package is in the tree."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name} leads out of the tree")
    return "usr" / path if path.parts[:1] and path.parts[0] in MERGED else path
