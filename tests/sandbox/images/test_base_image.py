"""Which image the Ray image is built on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.images import base_image as module
from sandbox.images.base_image import LOCAL, base_image, official_base
from sandbox.machine.docker import Docker
from sandbox.machine.process import SandboxError

DOCKERFILE = Path(__file__).resolve().parents[3] / "images" / "ray" / "Dockerfile"
TEXT = "ARG BASE=python:3.11-slim\nFROM ${BASE}\n"


class FakeDocker(Docker):
    """A daemon that reaches a container registry, or not, and remembers what it has."""

    def __init__(self, *, reaches: bool) -> None:
        self.reaches = reaches
        self.images: list[str] = []

    def __call__(self, *arguments: str | Path, stdin: str | None = None) -> str:
        if not self.reaches:
            raise SandboxError("no route to host")
        self.images.append(str(arguments[-1]))
        return ""

    def import_image(self, tar: Path, name: str, changes: object = ()) -> None:
        assert tar.stat().st_size > 0
        self.images.append(name)


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in for a tree of Debian."""

    @contextmanager
    def debootstrap(_: object) -> Iterator[Path]:
        yield tmp_path

    mark = tmp_path / "usr/lib/python3.11/EXTERNALLY-MANAGED"
    mark.parent.mkdir(parents=True)
    mark.touch()
    monkeypatch.setattr(module, "debootstrap", debootstrap)
    return tmp_path


def test_the_official_base_is_the_one_that_the_dockerfile_names() -> None:
    assert official_base(DOCKERFILE.read_text()) == "python:3.11-slim-bookworm"


def test_a_dockerfile_without_a_base_is_refused() -> None:
    with pytest.raises(SandboxError, match="no line `ARG BASE="):
        official_base("FROM python:3.11-slim\n")


def test_where_a_registry_is_reached_the_official_base_is_pulled(tree: Path) -> None:
    docker = FakeDocker(reaches=True)
    assert base_image(docker, TEXT) == "python:3.11-slim"
    assert docker.images == ["python:3.11-slim"]


def test_elsewhere_one_like_it_is_made_in_which_pip_may_install(tree: Path) -> None:
    docker = FakeDocker(reaches=False)
    assert base_image(docker, TEXT) == LOCAL
    assert docker.images == [LOCAL]
    assert not list(tree.rglob("EXTERNALLY-MANAGED"))
