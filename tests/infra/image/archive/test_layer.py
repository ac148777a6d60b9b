import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
import zstandard

from infra.image.archive import layer


def owner(path: str) -> tuple[int, int]:
    return (1000, 100) if path.startswith("home") else (0, 0)


def fill(tree: Path, names: list[str]) -> Path:
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"content of {name}")
        (tree / name).chmod(0o644)
    return tree


def entries(file: Path) -> list[tarfile.TarInfo]:
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.read_bytes())).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return tar.getmembers()


def test_the_same_tree_has_the_same_digest_whenever_and_in_whatever_order_it_was_made(tmp_path: Path) -> None:
    names = ["b", "a/two", "a/one", "a-file", "home/ray/file"]
    one, other = fill(tmp_path / "one", names), fill(tmp_path / "other", names[::-1])
    os.utime(other / "b", (5, 5))
    first = layer.write_layer("one", one, tmp_path / "first", owner)
    second = layer.write_layer("one", other, tmp_path / "second", owner)
    assert (first.digest, first.diff_id) == (second.digest, second.diff_id)
    (other / "b").chmod(0o755)
    assert layer.write_layer("one", other, tmp_path / "third", owner).digest != first.digest


def test_the_number_of_cores_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = fill(tmp_path / "tree", [])
    tree.mkdir()
    # Some jobs of the compressor's.
    (tree / "large").write_bytes(bytes(range(256)) * (20 << 12) + os.urandom(1 << 20) * 20)
    digests = set()
    for threads in (1, 2, 5):
        monkeypatch.setattr(layer, "_THREADS", threads)
        digests.add(layer.write_layer("one", tree, tmp_path / "layer", owner).digest)
    assert len(digests) == 1


def test_digests_and_sizes_are_those_of_the_file_and_of_the_tar_within(tmp_path: Path) -> None:
    made = layer.write_layer("one", fill(tmp_path / "tree", ["a", "b"]), tmp_path / "layer", owner)
    packed = (tmp_path / "layer").read_bytes()
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()
    assert made.digest == hashlib.sha256(packed).hexdigest()
    assert made.diff_id == hashlib.sha256(plain).hexdigest()
    assert (made.size, made.unpacked) == (len(packed), 2 * len("content of a"))


def test_all_is_roots_but_the_home(tmp_path: Path) -> None:
    tree = fill(tmp_path / "tree", ["etc/passwd", "home/ray/file"])
    (tree / "link").symlink_to("etc/passwd")
    layer.write_layer("one", tree, tmp_path / "layer", owner)
    found = {entry.name: (entry.uid, entry.gid, entry.mtime) for entry in entries(tmp_path / "layer")}
    assert list(found) == ["etc", "etc/passwd", "home", "home/ray", "home/ray/file", "link"]
    assert found["etc/passwd"] == found["link"] == (0, 0, layer.MTIME)
    assert found["home/ray/file"] == (1000, 100, layer.MTIME)


def test_files_that_are_the_same_are_kept_once(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("a", "b", "program"):
        (tree / name).write_bytes(b"x" * 5000)
        (tree / name).chmod(0o755 if name == "program" else 0o644)
    made = layer.write_layer("one", tree, tmp_path / "layer", owner)
    found = {entry.name: entry.linkname for entry in entries(tmp_path / "layer")}
    assert found == {"a": "", "b": "a", "program": ""}
    assert made.unpacked == 10_000
