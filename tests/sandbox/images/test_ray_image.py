"""How the Ray image is built: its packages come from this machine's pip, which no image gets to know."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.image_inputs import context_files
from sandbox.images import ray_image as module
from sandbox.images.ray_image import ray_store
from sandbox.machine.docker import Docker
from sandbox.machine.process import SandboxError

ROOT = Path(__file__).resolve().parents[3]
IMPORT = "from workloads import precompile; print(precompile.__file__)"
WHEEL = "ray-2.60.0-cp311-cp311-manylinux2014_x86_64.whl"


class FakeDocker(Docker):
    """Remembers what it was told, and looks into the context of a build while it is there."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []
        self.context: list[str] = []
        self.lock = ""
        self.index = ""

    def __call__(self, *arguments: str | Path, stdin: str | None = None) -> str:
        words = [str(word) for word in arguments]
        self.told.append(words)
        if words[0] == "build":
            context = Path(words[-1])
            self.context = [str(file.relative_to(context)) for file in context.rglob("*") if file.is_file()]
            self.lock = (context / "images/ray/requirements.lock").read_text()
            found = re.search(r"^--find-links (\S+)$", self.lock, re.MULTILINE)
            assert found
            with urllib.request.urlopen(found[1]) as answer:
                self.index = answer.read().decode()
        return ""


def download(*command: str | Path, **_: Any) -> str:
    """Stand in for pip: one wheel."""
    wheels = Path(command[command.index("--dest") + 1])
    wheels.mkdir()
    (wheels / WHEEL).touch()
    return ""


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeDocker:
    @contextmanager
    def pushed(store: Path) -> Iterator[str]:
        (store / "pushed").touch()
        yield "127.0.0.1:1"

    monkeypatch.setattr(module, "run", download)
    monkeypatch.setattr(module, "pushed", pushed)
    monkeypatch.setattr(module, "base_image", lambda docker, dockerfile: "base:1")
    monkeypatch.setenv("PIRAY_CACHE", str(tmp_path))
    return FakeDocker()


def test_the_build_installs_nothing_but_what_was_downloaded_outside(docker: FakeDocker) -> None:
    ray_store(docker)
    assert docker.lock.startswith("--no-index\n")
    assert "--hash=sha256:" in docker.lock
    assert WHEEL in docker.index


def test_the_build_sees_what_the_dockerfile_copies_and_no_more(docker: FakeDocker) -> None:
    ray_store(docker)
    assert sorted(docker.context) == sorted(context_files())
    assert "workloads/mandelbrot/kernel.py" in docker.context


def test_the_kernels_sources_in_the_image_are_enough_to_compile_them(tmp_path: Path) -> None:
    for name in context_files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    # Not the checkout's own `workloads`, whatever the test was started with.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {IMPORT}"]
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert found.strip() == str(tmp_path / "workloads/precompile.py")


def test_settings_of_this_machine_s_pip_stay_outside_of_the_build(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@packages.invalid/simple")
    ray_store(docker)
    assert "secret" not in docker.lock
    assert "secret" not in str(docker.told)


def test_a_second_call_neither_builds_nor_pushes(docker: FakeDocker) -> None:
    store = ray_store(docker)
    told = len(docker.told)
    assert ray_store(docker) == store
    assert len(docker.told) == told


def test_a_push_that_fails_leaves_no_store_behind(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(_: Path) -> None:
        raise SandboxError("the registry at 127.0.0.1:1 does not answer")

    monkeypatch.setattr(module, "pushed", fails)
    with pytest.raises(SandboxError, match="does not answer"):
        ray_store(docker)
    assert not list((tmp_path / "sandbox").glob("ray-image-*"))
