"""`piray image build` as a command, from made-up packages on loopback and made-up wheels in a folder."""

import fcntl
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import zstandard

from infra.image import build as building
from infra.image.build import Made, Recipe, build
from infra.image.contents import bytecode
from infra.image.contents.debian_packages import read_lock
from infra.image.problems import ImageError
from infra.image.target import TARGETS
from infra.mirror.image import wrong_image
from tests.infra.image.ingredients import base_packages, elf, sha256, wheel

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = "usr/local/lib/python3.11/dist-packages"

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the image has Python 3.11, which has to compile its modules"
)


@dataclass
class Site:
    """A project with locks, and an archive of Debian's that has what they name."""

    folder: Path
    url: str
    said: list[str] = field(default_factory=list)

    def build(
        self, output: str = "image.tar", arch: str = "amd64", name: str = "", cache: str = "cache"
    ) -> Made:
        recipe = Recipe(
            project=self.folder / "project",
            target=TARGETS[arch],
            source=self.url,
            cache=self.folder / cache,
            name=name,
        )
        return build(recipe, self.folder / "out" / output, self.said.append)

    def left(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "out").iterdir())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    locks = tmp_path / "project/images/ray"
    for folder in (locks, tmp_path / "out", tmp_path / "index", tmp_path / "debian"):
        folder.mkdir(parents=True)
    for file, content in base_packages("amd64").items():
        (tmp_path / "debian" / file).write_bytes(content)
        with (locks / "packages-amd64.lock").open("a") as lock:
            lock.write(f"{sha256(content)}  debian/{file}\n")
    made = [
        wheel(tmp_path / "index", "one", {"one/__init__.py": "X = 1", "one/tests/test_one.py": ""}),
        wheel(
            tmp_path / "index", "ray", {"ray.py": "def main(): ...", "ray.so": elf("amd64", ("libc.so.6",))}
        ),
    ]
    (locks / "requirements.lock").write_text(
        "".join(
            f"{file.name.split('-')[0]}==1.0 \\\n    --hash=sha256:{sha256(file.read_bytes())}\n"
            for file in made
        )
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(tmp_path, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def layers(archive: Path) -> list[dict[str, bytes]]:
    """Return the files of each layer, as `docker load` would find them."""
    with tarfile.open(archive) as tar:
        saved = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        packed = [tar.extractfile(name).read() for name in saved[0]["Layers"]]  # type: ignore[union-attr]
    found = []
    for layer in packed:
        plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(layer)).read()
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            files = (entry for entry in tar if entry.isfile() or entry.issym())
            found.append(
                {entry.name: entry.linkname.encode() or tar.extractfile(entry).read() for entry in files}  # type: ignore[union-attr]
            )
    return found


def test_an_image_has_debian_wheels_and_ray_in_layers_of_their_own(site: Site) -> None:
    made = site.build()
    base, wheels, ray = layers(site.folder / "out/image.tar")
    assert base["usr/lib/libc.so"] == b"libc.so.6"
    assert (base["lib"], base["usr/bin/python"]) == (b"usr/lib", b"python3")
    assert base["etc/ssl/certs/ca-certificates.crt"] == b"first\nsecond\n"
    assert b"ray:x:1000:100::/home/ray:/bin/bash" in base["etc/passwd"]
    assert base["etc/nsswitch.conf"] == b"hosts: files dns\n"
    assert "usr/lib/python3.11/__pycache__/json.cpython-311.pyc" in base
    assert wheels[f"{PACKAGES}/one/__init__.py"] == b"X = 1"
    assert ray[f"{PACKAGES}/ray.py"] == b"def main(): ..."
    everything = {**base, **wheels, **ray}
    for gone in ("EXTERNALLY-MANAGED", "test_one.py", "window.py", "changelog.gz", "base.1.gz"):
        assert not any(name.endswith(gone) for name in everything)
    assert made.checked.count == 3
    assert sum(made.left_out.values()) > 0
    assert site.left() == ["image.tar"]


def test_compiled_modules_know_their_place_in_the_image_and_no_time(site: Site) -> None:
    site.build()
    compiled = layers(site.folder / "out/image.tar")[2][f"{PACKAGES}/__pycache__/ray.cpython-311.pyc"]
    # Not compared with their sources: https://peps.python.org/pep-0552/
    assert compiled[4:8] == bytes([1, 0, 0, 0])
    assert f"/{PACKAGES}/ray.py".encode() in compiled
    assert str(site.folder).encode() not in compiled


def test_the_same_inputs_give_the_same_file(site: Site) -> None:
    first, second = site.build("one.tar"), site.build("two.tar", cache="another-cache")
    assert first.image.digest == second.image.digest
    one, two = (site.folder / "out" / name for name in ("one.tar", "two.tar"))
    assert one.read_bytes() == two.read_bytes()


def test_another_content_has_another_name(site: Site) -> None:
    first = site.build("one.tar")
    assert first.name.endswith(first.image.digest[:12])
    assert wrong_image(site.folder / "out/one.tar", first.name, "amd64") == ""
    changed = wheel(site.folder / "index", "ray", {"ray.py": "def main(): return 1"})
    lock = site.folder / "project/images/ray/requirements.lock"
    lock.write_text(lock.read_text().rpartition("sha256:")[0] + f"sha256:{sha256(changed.read_bytes())}\n")
    assert site.build("two.tar").name != first.name
    assert site.build("three.tar", name="registry.example/ray:1").name == "registry.example/ray:1"


def test_a_package_with_another_sum_is_refused_and_nothing_is_left(site: Site) -> None:
    (site.folder / "debian/libc_1_amd64.deb").write_bytes(b"another one")
    with pytest.raises(Exception, match=r"libc_1_amd64\.deb has the SHA-256 .*; the list of sums says"):
        site.build()
    assert site.left() == []


def test_an_archive_that_refuses_is_named_and_nothing_is_left(site: Site) -> None:
    (site.folder / "debian/python_1_amd64.deb").unlink()
    with pytest.raises(Exception, match=r"python_1_amd64\.deb is not there \(HTTP 404\)"):
        site.build()
    assert site.left() == []


def test_what_was_downloaded_is_not_asked_for_again(site: Site) -> None:
    site.build("one.tar")
    for file in (site.folder / "debian").iterdir():
        file.unlink()
    site.build("two.tar")


def test_a_wheel_for_another_processor_is_found_before_anything_is_packed(site: Site) -> None:
    wrong = wheel(site.folder / "index", "ray", {"ray.so": elf("arm64", ("libmissing.so.1",))})
    lock = site.folder / "project/images/ray/requirements.lock"
    lock.write_text(lock.read_text().rpartition("sha256:")[0] + f"sha256:{sha256(wrong.read_bytes())}\n")
    with pytest.raises(ImageError, match=r"ELF machine 183.*; .*needs libmissing\.so\.1"):
        site.build()
    assert site.left() == []
    assert not any("unpacked" in line for line in site.said)


def test_an_output_that_exists_is_not_touched(site: Site) -> None:
    (site.folder / "out/image.tar").write_text("mine")
    with pytest.raises(ImageError, match=r"image\.tar exists already; remove it, or choose another file"):
        site.build()
    assert (site.folder / "out/image.tar").read_text() == "mine"
    assert site.said == []


def test_an_output_without_a_directory_is_refused(site: Site) -> None:
    with pytest.raises(ImageError, match="missing is no directory"):
        site.build("missing/image.tar")


def test_a_disk_without_room_is_refused_before_anything_is_downloaded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "ROOM", 1 << 60)
    with pytest.raises(ImageError, match="MB left; the image takes .*; make room"):
        site.build()
    assert not (site.folder / "cache").exists()


def test_a_disk_that_becomes_full_is_one_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "image.tar")

    monkeypatch.setattr(building, "write_archive", full)
    with pytest.raises(ImageError, match="cannot be written .No space left on device.; make room"):
        site.build()
    assert site.left() == []


def test_what_a_killed_build_has_left_is_removed_and_nothing_else(site: Site) -> None:
    left, busy, mine = (site.folder / f"out/.image.tar-{name}" for name in ("left", "busy", "mine"))
    for folder in (left, busy, mine):
        folder.mkdir()
    for folder in (left, busy):
        (folder / ".piray-image-build").touch()
    with (busy / ".piray-image-build").open() as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        site.build()
    assert not left.exists()
    assert busy.exists()
    assert mine.exists()


def test_a_python_that_the_image_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "IMAGE_PYTHON", "3.10")
    with pytest.raises(ImageError, match=r"runs with Python 3\.11; the image has 3\.10"):
        bytecode.check_python()


def test_a_lock_with_lines_that_are_none_is_refused_with_all_of_them() -> None:
    with pytest.raises(ImageError, match="not `SHA256  PATH.deb`: one; two"):
        read_lock(f"one\n{'0' * 64}  debian/three.deb\ntwo\n")


@pytest.mark.parametrize("arch", sorted(TARGETS))
def test_the_real_locks_name_debian_12s_python_and_no_host(arch: str) -> None:
    packages = read_lock((ROOT / f"images/ray/packages-{arch}.lock").read_text())
    assert any(package.file.startswith("python3.11_3.11.") for package in packages)
    assert {package.path.partition("/")[0] for package in packages} == {"debian", "debian-security"}
    assert {package.file.rpartition("_")[2] for package in packages} == {f"{arch}.deb", "all.deb"}


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "workloads.cli", "image", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", "image.tar", "--arch", "armhf"], "'armhf' is not one of 'amd64', 'arm64'"),
        (["build", "image.tar", "--from", "debian"], "--from debian is no URL"),
        (["build", "image.tar", "--name", "ray:latest"], "--name ray:latest has no fixed tag"),
        (["build", "/missing/image.tar"], "piray: /missing is no directory; make it, or choose another file"),
    ],
)
def test_the_command_refuses_in_one_line(arguments: list[str], said: str) -> None:
    done = command(*arguments)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
