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
from sandbox.machine.process import SandboxError, run

URL = "http://10.77.0.1:8000"


class FakeGo:
    """Stands in for `run`: knows its version, and "builds" a file with the linker's words in it."""

    def __init__(self, version: str = "go1.26.8") -> None:
        self.version = version
        self.builds: list[Sequence[str]] = []

    def __call__(self, *command: str | Path, **_: Any) -> str:
        words = [str(word) for word in command]
        if words[1] == "env":
            return f"{self.version}\nlinux\namd64\n"
        self.builds.append(words)
        Path(words[words.index("-o") + 1]).write_text(words[words.index("-ldflags") + 1])
        return ""


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeGo:
    fake = FakeGo()
    monkeypatch.setattr(release, "run", fake)
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
    sums = path_of(mirror, wanted.sums_url).read_text()
    assert sums == f"{hashlib.sha256(binary.read_bytes()).hexdigest()}  k3s\n"
    assert f"gitVersion={version}" in binary.read_text()
    script = path_of(mirror, wanted.install_script_url).read_bytes()
    assert hashlib.sha256(script).hexdigest() == release.install_script_sha256()


def test_the_second_call_builds_nothing(go: FakeGo) -> None:
    first = release.mirror()
    builds = len(go.builds)
    assert release.mirror() == first
    assert len(go.builds) == builds


def test_a_go_that_is_too_old_is_refused_with_both_versions(go: FakeGo) -> None:
    go.version = "go1.19.8"
    with pytest.raises(SandboxError, match=r"go1\.19\.8; .* Go 1\.26"):
        release.mirror()


def test_a_machine_without_go_is_told_where_it_is_found(go: FakeGo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SandboxError, match=r"go is not on PATH.*go\.dev"):
        release.mirror()


@pytest.mark.skipif(not shutil.which("go"), reason="go is not on PATH")
def test_the_stand_in_passes_its_own_tests() -> None:
    # Only the packages without Kubernetes in them, which would take minutes to compile.
    packages = [f"./{name}" for name in ("cgroups", "config", "pki", "process", "token")]
    run("go", "test", *packages, cwd=release.SOURCE, env={**os.environ, "CGO_ENABLED": "0"}, timeout=300)
    assert run("gofmt", "-l", release.SOURCE) == ""


def test_an_image_archive_holds_the_program_under_its_name(tmp_path: Path) -> None:
    program = tmp_path / "some-program"
    program.write_bytes(b"static")
    write_image_archive(tmp_path / "image.tar", "localhost/x:1", program, "amd64")
    with tarfile.open(tmp_path / "image.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        assert manifest["RepoTags"] == ["localhost/x:1"]
        with tarfile.open(fileobj=archive.extractfile(manifest["Layers"][0]), mode="r:gz") as layer:
            entry = layer.getmember("program")
            assert (entry.mode, layer.extractfile(entry).read()) == (0o755, b"static")  # type: ignore[union-attr]
