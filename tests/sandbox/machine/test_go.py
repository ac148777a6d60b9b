"""The Go that builds the sandbox's programs: whether it is there, and new enough."""

import shutil
from pathlib import Path

import pytest

from sandbox.machine import go
from sandbox.machine.process import SandboxError


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26.0\n")
    return tmp_path


def with_go(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "go")
    monkeypatch.setattr(go, "run", lambda *_: f"{version}\nlinux\namd64\n")


@pytest.mark.parametrize("version", ["go1.26.0", "go1.26.8", "go1.27"])
def test_a_go_that_is_new_enough_is_told_with_its_platform(
    module: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_go(monkeypatch, version)
    assert go.go_version(module) == f"{version} linux amd64"


def test_a_go_that_is_too_old_is_refused_with_both_versions(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_go(monkeypatch, "go1.19.8")
    with pytest.raises(SandboxError, match=r"go1\.19\.8; .* Go 1\.26"):
        go.go_version(module)


def test_a_machine_without_go_is_told_where_it_is_found(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SandboxError, match=r"go is not on PATH.*go\.dev"):
        go.go_version(module)


def test_a_module_that_names_no_go_is_named(module: Path) -> None:
    (module / "go.mod").write_text("module x\n")
    with pytest.raises(SandboxError, match="go.mod has no line `go VERSION`"):
        go.go_version(module)
