"""What the sandbox serves in place of k3s's releases: layout, sums, and the program's own way to it."""

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.k3s.release import k3s_release
from sandbox import release
from sandbox.images.archive import write_image_archive
from sandbox.machine import go as go_module
from sandbox.machine.process import run

URL = "http://10.77.0.1:8000"


class FakeGo:
    """Stands in for `run`: knows its version, and "builds" a file with the linker's words in it."""

    def __init__(self) -> None:
        self.builds: list[Sequence[str]] = []

    def __call__(self, *command: str | Path, **_: Any) -> str:
        words = [str(word) for word in command]
        if words[1] == "env":
            return "go1.26.8\nlinux\namd64\n"
        self.builds.append(words)
        Path(words[words.index("-o") + 1]).write_text(words[words.index("-ldflags") + 1])
        return ""


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeGo:
    fake = FakeGo()
    monkeypatch.setattr(go_module, "run", fake)
    monkeypatch.setattr(shutil, "which", lambda _: "go")
    monkeypatch.setenv("PIRAY_CACHE", str(tmp_path))
    return fake


def path_of(mirror: Path, url: str) -> Path:
    return mirror / url.removeprefix(URL + "/").replace("%2B", "+")


@pytest.mark.parametrize("version", release.VERSIONS)
def test_the_mirror_has_what_the_program_downloads_with_the_right_sums(go: FakeGo, version: str) -> None:
    mirror = release.mirror()
    wanted = k3s_release(version, "amd64", URL)
    binary = path_of(mirror, wanted.binary_url)
    assert wanted.images_url is not None
    images = path_of(mirror, f"{wanted.images_url}.gz")
    sums = path_of(mirror, wanted.sums_url).read_text()
    assert sums == "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in (binary, images)
    )
    assert f"gitVersion={version}" in binary.read_text()
    script = path_of(mirror, wanted.install_script_url).read_bytes()
    assert hashlib.sha256(script).hexdigest() == release.install_script_sha256()


def test_the_second_call_builds_nothing(go: FakeGo) -> None:
    first = release.mirror()
    builds = len(go.builds)
    assert release.mirror() == first
    assert len(go.builds) == builds


@pytest.mark.skipif(not shutil.which("go"), reason="go is not on PATH")
def test_the_stand_in_passes_its_own_tests() -> None:
    # Only the packages without Kubernetes in them, which would take minutes to compile.
    packages = [f"./{name}" for name in ("cgroups", "config", "pki", "process", "token")]
    run("go", "test", *packages, cwd=release.SOURCE, env={**os.environ, "CGO_ENABLED": "0"}, timeout=300)
    assert run("gofmt", "-l", release.SOURCE) == ""


def test_an_archive_of_images_holds_each_program_under_its_image(tmp_path: Path) -> None:
    programs = {"localhost/x:1": tmp_path / "x", "localhost/y:1": tmp_path / "y"}
    for name, program in programs.items():
        program.write_text(name)
    write_image_archive(tmp_path / "images.tar.gz", programs, "amd64")
    with tarfile.open(tmp_path / "images.tar.gz", mode="r:gz") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert [image["RepoTags"] for image in manifest] == [[name] for name in programs]
        for image in manifest:
            with tarfile.open(fileobj=archive.extractfile(image["Layers"][0])) as layer:
                entry = layer.getmember("program")
                assert entry.mode == 0o755
                assert layer.extractfile(entry).read().decode() == image["RepoTags"][0]  # type: ignore[union-attr]
