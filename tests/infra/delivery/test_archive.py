"""The archive on this machine: the right one, a wrong one, and one that is built."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from infra.config.ray_image import ImageSource
from infra.delivery.archive import archive_problem, find_archive
from infra.delivery.problems import DeliveryError
from infra.delivery.task import Task
from tests.infra.declared import make_config

IMAGE = "piray.internal/ray:1"
BUILDER = """#!/bin/sh
for word in "$@"; do case $word in --output=type=docker,dest=*) cp "$MADE" "${word#*dest=}" ;; esac; done
echo "$@" >>"$MADE.log"
"""


def write(file: Path, files: dict[str, object]) -> Path:
    with tarfile.open(file, "w") as archive:
        for name, value in files.items():
            content = json.dumps(value).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file


def docker_archive(file: Path, name: str = IMAGE, arch: str = "arm64") -> Path:
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": []}]
    return write(file, {"config.json": {"architecture": arch}, "manifest.json": manifest})


def oci_archive(file: Path, name: str = IMAGE, arch: str = "arm64") -> Path:
    annotations = {"org.opencontainers.image.ref.name": name}
    index = {"manifests": [{"digest": "sha256:aa", "annotations": annotations}]}
    blobs = {
        "blobs/sha256/aa": {"config": {"digest": "sha256:bb"}},
        "blobs/sha256/bb": {"architecture": arch},
    }
    return write(file, {"oci-layout": {}, "index.json": index, **blobs})


def source(file: Path) -> ImageSource:
    return ImageSource(kind="archive", file=str(file))


@pytest.mark.parametrize("write_archive", [docker_archive, oci_archive])
def test_an_archive_of_either_form_is_taken(write_archive: object, tmp_path: Path) -> None:
    file = write_archive(tmp_path / "ray.tar")  # type: ignore[operator]
    assert archive_problem(source(file), IMAGE, "arm64") == ""
    found = find_archive(source(file), IMAGE, "arm64", print)
    assert (found.file, found.size) == (file, file.stat().st_size)


@pytest.mark.parametrize("write_archive", [docker_archive, oci_archive])
def test_another_processor_and_another_name_are_refused(write_archive: object, tmp_path: Path) -> None:
    amd64 = write_archive(tmp_path / "amd.tar", arch="amd64")  # type: ignore[operator]
    assert "is for amd64, not for arm64" in archive_problem(source(amd64), IMAGE, "arm64")
    other = write_archive(tmp_path / "other.tar", name="localhost/other:1")  # type: ignore[operator]
    assert "holds localhost/other:1, not piray.internal/ray:1" in archive_problem(
        source(other), IMAGE, "arm64"
    )


@pytest.mark.parametrize("length", [0, 700, 1100])
def test_an_archive_that_was_cut_off_is_refused(length: int, tmp_path: Path) -> None:
    file = docker_archive(tmp_path / "ray.tar")
    file.write_bytes(file.read_bytes()[:length])
    assert "is not an archive" in archive_problem(source(file), IMAGE, "arm64")


def test_a_file_that_is_not_there_is_told_only_where_it_is_needed(tmp_path: Path) -> None:
    gone = source(tmp_path / "gone.tar")
    assert archive_problem(gone, IMAGE, "arm64") == ""
    with pytest.raises(DeliveryError, match=r"gone\.tar is not there, and no Pi has piray.internal/ray:1"):
        find_archive(gone, IMAGE, "arm64", print)


def test_a_builder_that_this_machine_lacks_is_told_before_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    problem = archive_problem(ImageSource(kind="build", builder="podman"), IMAGE, "arm64")
    assert "podman is not on PATH" in problem


def test_an_image_is_built_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(BUILDER)
    docker.chmod(0o755)
    made = docker_archive(tmp_path / "made.tar")
    monkeypatch.setenv("MADE", str(made))
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PIRAY_CACHE", str(tmp_path / "cache"))
    built = ImageSource(kind="build", builder="docker")
    first = find_archive(built, IMAGE, "arm64", print)
    assert first.file.read_bytes() == made.read_bytes()
    assert find_archive(built, IMAGE, "arm64", print) == first
    (call,) = Path(f"{made}.log").read_text().splitlines()
    assert call.startswith("buildx build --platform=linux/arm64 --file=images/ray/Dockerfile")


def test_a_task_says_the_same_after_its_way_over_stdin() -> None:
    config = make_config()
    task = Task(
        image=IMAGE,
        arch="arm64",
        source=ImageSource(kind="archive", file="ray.tar"),
        hosts=config.hosts,
        ssh=config.ssh,
    )
    assert Task.from_json(task.to_json()).to_json() == task.to_json()
    assert Task.from_json(task.to_json()).ssh == config.ssh
