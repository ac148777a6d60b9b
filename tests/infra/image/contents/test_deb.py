import tarfile
from pathlib import Path

import pytest

from infra.image.contents.deb import unpack
from infra.image.problems import ImageError
from tests.infra.image.ingredients import deb


def put(folder: Path, content: bytes) -> Path:
    file = folder / "package.deb"
    file.write_bytes(content)
    return file


def test_a_package_is_unpacked_without_its_scripts(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    unpack(put(tmp_path, deb({"etc/": "", "etc/host.conf": "multi on\n"}, {"etc/link": "host.conf"})), tree)
    assert (tree / "etc/link").read_text() == "multi on\n"
    assert sorted(path.name for path in tree.rglob("*")) == ["etc", "host.conf", "link"]


@pytest.mark.parametrize("folder", ["bin", "sbin", "lib", "lib64"])
def test_what_a_package_has_beside_usr_goes_into_usr(tmp_path: Path, folder: str) -> None:
    tree = tmp_path / "tree"
    unpack(put(tmp_path, deb({f"{folder}/": "", f"{folder}/file": "content"})), tree)
    assert (tree / "usr" / folder / "file").read_text() == "content"
    assert not (tree / folder).exists()


def test_a_directory_for_all_stays_one(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("./tmp")
    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
    unpack(put(tmp_path, deb({}, tmp=entry)), tmp_path / "tree")
    assert (tmp_path / "tree/tmp").stat().st_mode & 0o7777 == 0o1777


def test_a_program_that_becomes_root_does_so_no_more(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("./usr/bin/su")
    entry.mode = 0o4755
    unpack(put(tmp_path, deb({}, su=entry)), tmp_path / "tree")
    assert (tmp_path / "tree/usr/bin/su").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("name", ["../outside", "/outside", "usr/../../outside"])
def test_a_package_writes_nowhere_else(tmp_path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    with pytest.raises(ImageError, match="leads out of the tree"):
        unpack(put(tmp_path, deb({}, outside=entry)), tmp_path / "tree")
    assert not (tmp_path / "outside").exists()


def test_a_device_is_refused(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("./dev/null")
    entry.type = tarfile.CHRTYPE
    with pytest.raises(ImageError, match="neither a file"):
        unpack(put(tmp_path, deb({}, null=entry)), tmp_path / "tree")


@pytest.mark.parametrize(
    "content", [b"", b"no package", b"!<arch>\n", deb({"etc/host.conf": "multi on\n"})[:-30]], ids=len
)
def test_a_broken_package_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ImageError, match=r"package\.deb is no Debian package that can be read"):
        unpack(put(tmp_path, content), tmp_path / "tree")
