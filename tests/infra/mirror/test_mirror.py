"""`piray mirror` as a command: filled from another mirror on loopback, and checked without any."""

import hashlib
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
from io import BytesIO
from pathlib import Path

import pytest

from infra.k3s.release import image_archive_name, images_name
from infra.mirror.image import PROGRAMS
from infra.versions import K3S, KUBERAY, KUBERAY_CRD_SHA256, KUBERAY_IMAGE
from tests.infra.kuberay.crds import crd_file

IMAGE = "registry.example/ray:1"
RAY = image_archive_name(IMAGE)
OPERATOR = image_archive_name(KUBERAY_IMAGE)
SCRIPT = b"#!/bin/sh\n"
BINARY = b"the program" * 1000
IMAGES = b"the images" * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def image_archive(name: str = IMAGE, arch: str = "arm64") -> bytes:
    """Return what `docker save` writes, without a layer."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file, value in (
            ("config.json", {"architecture": arch}),
            ("manifest.json", [{"Config": "config.json", "RepoTags": [name], "Layers": []}]),
        ):
            content = json.dumps(value).encode()
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            tar.addfile(entry, BytesIO(content))
    return buffer.getvalue()


@dataclass
class Source:
    """Another mirror: what it has, what it was asked for, and after how many bytes it cuts a download."""

    folder: Path
    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    cut_at: int | None = None

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    source = Source(tmp_path / "source")
    source.write(f"{K3S}/k3s-arm64", BINARY)
    source.write(f"{K3S}/{images_name('arm64')}.zst", IMAGES)
    sums = f"{sha256(IMAGES)}  {images_name('arm64')}.zst\n{sha256(BINARY)}  k3s-arm64\n"
    source.write(f"{K3S}/sha256sum-arm64.txt", sums.encode())
    source.write("install.sh", SCRIPT)
    source.write(f"images/{RAY}", image_archive())
    source.write("images/sha256sum-arm64.txt", f"{sha256(image_archive())}  {RAY}\n".encode())

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            source.asked.append((self.path, self.headers.get("Range")))
            path = Path(self.translate_path(self.path))
            begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            if not path.is_file():
                self.send_error(404)
                return
            content = path.read_bytes()[begin:]
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if source.cut_at is None else content[: source.cut_at])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(source.folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source.url = f"http://127.0.0.1:{server.server_port}"
        yield source
        server.shutdown()


def mirror(
    folder: Path, *options: str, path: str | None = None, image: str = IMAGE
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workloads.cli", "mirror", str(folder)]
    command += ["--image", image, "--install-script-sha256", sha256(SCRIPT), *options]
    env = {**os.environ, **({"PATH": path} if path is not None else {})}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)


def filled(folder: Path, source: Source, *options: str) -> subprocess.CompletedProcess[str]:
    done = mirror(folder, "--from", source.url, *options)
    assert done.returncode == 0, done.stderr
    return done


def test_a_filled_mirror_has_what_hosts_download_and_passes_its_check(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "class"
    done = filled(folder, source)
    assert "mirror: http://ADDRESS:8000" in done.stdout
    assert (folder / K3S / "k3s-arm64").read_bytes() == BINARY
    assert (folder / K3S / f"{images_name('arm64')}.zst").read_bytes() == IMAGES
    assert (folder / "images" / RAY).read_bytes() == image_archive()
    assert mirror(folder, "--check").returncode == 0
    assert not list(folder.rglob("*.part"))


def test_the_second_run_downloads_no_more_than_the_list_of_sums(tmp_path: Path, source: Source) -> None:
    filled(tmp_path / "class", source)
    source.asked.clear()
    filled(tmp_path / "class", source)
    assert [Path(path).name for path, _ in source.asked] == ["sha256sum-arm64.txt"]


def test_a_download_that_was_cut_goes_on_where_it_was(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "class"
    source.cut_at = 100
    cut = mirror(folder, "--from", source.url)
    assert cut.returncode == 1
    assert "cannot be downloaded" in cut.stderr
    source.cut_at = None
    (folder / K3S).mkdir(parents=True)
    (folder / K3S / "k3s-arm64.part").write_bytes(BINARY[:5000])
    source.asked.clear()
    filled(folder, source)
    assert ("/v1.36.5%2Bk3s1/k3s-arm64", "bytes=5000-") in source.asked
    assert (folder / K3S / "k3s-arm64").read_bytes() == BINARY


def test_a_part_of_another_release_is_not_built_upon(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "class"
    (folder / K3S).mkdir(parents=True)
    (folder / K3S / "k3s-arm64.part").write_bytes(b"something else")
    filled(folder, source)
    assert (folder / K3S / "k3s-arm64").read_bytes() == BINARY


def test_everything_that_is_missing_is_said_at_once(tmp_path: Path, source: Source) -> None:
    (source.folder / K3S / f"{images_name('arm64')}.zst").unlink()
    source.write("install.sh", b"another script")
    folder = tmp_path / "class"
    done = mirror(folder, "--from", source.url)
    assert done.returncode == 1
    assert f"has no {images_name('arm64')}.zst" in done.stderr
    assert f"install.sh has the SHA-256 {sha256(b'another script')}" in done.stderr
    assert (folder / K3S / "k3s-arm64").read_bytes() == BINARY
    checked = mirror(folder, "--check")
    assert checked.returncode == 1
    assert "the images of k3s: missing" in checked.stderr
    assert "the install script of k3s is missing" in checked.stderr
    assert "the program k3s" not in checked.stderr


def test_a_check_of_nothing_names_every_part_and_asks_nobody(tmp_path: Path) -> None:
    done = mirror(tmp_path / "class", "--check")
    assert done.returncode == 1
    for what in (
        "the program k3s: missing",
        "the images of k3s: missing",
        "install script",
        "the Ray image: missing",
    ):
        assert what in done.stderr
    assert not (tmp_path / "class").exists()


@pytest.mark.parametrize("damaged", [f"{K3S}/k3s-arm64", "install.sh", f"images/{RAY}"])
def test_a_damaged_file_is_named_and_put_right_by_the_next_run(
    tmp_path: Path, source: Source, damaged: str
) -> None:
    folder = tmp_path / "class"
    filled(folder, source)
    (folder / damaged).write_bytes(b"half of it")
    assert damaged in mirror(folder, "--check").stderr
    filled(folder, source)
    assert mirror(folder, "--check").returncode == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_ray_image_is_saved_by_whichever_program_is_there(
    tmp_path: Path, source: Source, program: str
) -> None:
    (source.folder / "images" / "sha256sum-arm64.txt").unlink()
    (tmp_path / "saved.tar").write_bytes(image_archive())
    path = programs(tmp_path, program)
    folder = tmp_path / "class"
    done = mirror(folder, "--from", source.url, path=path)
    assert done.returncode == 0, done.stderr
    assert (folder / "images" / RAY).read_bytes() == image_archive()
    assert "arm64" in (tmp_path / "calls").read_text()
    assert mirror(folder, "--check").returncode == 0


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (image_archive(arch="amd64"), "is for amd64, not for arm64"),
        (
            image_archive("registry.example/other:1"),
            "holds registry.example/other:1, not registry.example/ray:1",
        ),
        (b"no archive", "is not an archive as `docker save` writes it"),
    ],
)
def test_another_image_is_refused(tmp_path: Path, source: Source, archive: bytes, said: str) -> None:
    (source.folder / "images" / "sha256sum-arm64.txt").unlink()
    (tmp_path / "saved.tar").write_bytes(archive)
    done = mirror(tmp_path / "class", "--from", source.url, path=programs(tmp_path, "docker"))
    assert done.returncode == 1
    assert said in done.stderr
    assert not list((tmp_path / "class" / "images").iterdir())


def test_an_archive_that_is_there_is_taken_and_no_program_for_images_is_needed(
    tmp_path: Path, source: Source
) -> None:
    archive, folder = tmp_path / "piray-ray.tar", tmp_path / "class"
    archive.write_bytes(image_archive())
    (source.folder / "images" / RAY).unlink()
    filled(folder, source, "--archive", str(archive))
    assert (folder / "images" / RAY).read_bytes() == image_archive()
    assert mirror(folder, "--check").returncode == 0


def test_the_archive_of_the_stack_is_taken_or_missed_by_its_name(tmp_path: Path, source: Source) -> None:
    archive, folder, stack = tmp_path / "piray-ray.tar", tmp_path / "class", tmp_path / "stack.yaml"
    image = {"source": "archive", "file": str(archive), "reference": IMAGE}
    stack.write_text(json.dumps({"config": {"piray:ray": {"image": image}}}))
    (source.folder / "images" / RAY).unlink()
    options = ["--from", source.url, "--stack", str(stack)]
    missed = mirror(folder, *options, image="")
    assert missed.returncode == 1
    assert f"piray: {archive} is not there" in missed.stderr
    archive.write_bytes(image_archive())
    done = mirror(folder, *options, image="")
    assert done.returncode == 0, done.stderr
    assert (folder / "images" / RAY).read_bytes() == image_archive()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (image_archive(name="localhost/other:1"), f"holds localhost/other:1, not {IMAGE}"),
        (image_archive(arch="amd64"), "is for amd64, not for arm64"),
        (b"broken", "is not an archive"),
    ],
)
def test_an_archive_of_another_image_is_refused_before_anything_is_done(
    tmp_path: Path, source: Source, content: bytes, said: str
) -> None:
    archive, folder = tmp_path / "piray-ray.tar", tmp_path / "class"
    archive.write_bytes(content)
    done = mirror(folder, "--from", source.url, "--archive", str(archive))
    assert done.returncode == 1
    assert said in done.stderr
    assert "--image" in done.stderr
    assert not folder.exists()
    assert source.asked == []


def test_a_machine_without_a_program_for_images_is_told_which_there_are(
    tmp_path: Path, source: Source
) -> None:
    (source.folder / "images" / "sha256sum-arm64.txt").unlink()
    done = mirror(tmp_path / "class", "--from", source.url, path=str(tmp_path))
    assert done.returncode == 1
    assert "none of skopeo, crane, podman, docker is on PATH" in done.stderr
    assert (tmp_path / "class" / K3S / "k3s-arm64").exists()


def test_an_image_named_by_its_digest_is_refused(tmp_path: Path, source: Source) -> None:
    image = f"registry.example/ray@sha256:{'a' * 64}"
    done = mirror(tmp_path / "class", "--from", source.url, path=programs(tmp_path, "docker"), image=image)
    assert "give ray.image a tag" in done.stderr


def test_a_stack_file_says_what_is_wanted_whatever_else_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.home.yaml"
    file.write_text(
        "config:\n  piray:arch: amd64\n  piray:k3s: {version: v1.36.9+k3s1}\n"
        "  piray:sshPrivateKey: {secure: AAAA}\n  piray:hosts: nonsense\n"
    )
    done = mirror(tmp_path / "class", "--check", "--stack", str(file))
    assert "v1.36.9+k3s1/k3s: the program k3s: missing" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--k3s-version", "latest"], "k3s.version"),
        (["--from", "ftp://x"], "--from ftp://x is no URL"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    done = mirror(tmp_path / "class", *options)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def programs(folder: Path, name: str) -> str:
    """Return a PATH with one program for images, which copies `saved.tar` to where it is told."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    (bin_folder / name).write_text(
        f"#!{sys.executable}\nimport re, shutil, sys\n"
        f"open({str(folder / 'calls')!r}, 'a').write(' '.join(sys.argv) + '\\n')\n"
        "found = [m for word in sys.argv[1:] for m in re.findall(r'(/[^:=]*\\.part)', word)]\n"
        f"found and shutil.copy({str(folder / 'saved.tar')!r}, found[-1])\n"
    )
    (bin_folder / name).chmod(0o755)
    return str(bin_folder)


def test_a_stack_is_given_by_name_or_as_a_file_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = mirror(tmp_path / "class", "--check", "--stack", "dev")
    assert f"{K3S}/k3s-arm64" in done.stderr
    done = mirror(tmp_path / "class", "--check", "--stack", "nothing")
    assert "neither a file Pulumi.nothing.yaml in the project nor one called nothing" in done.stderr
    assert "Pulumi.dev.yaml" in done.stderr


def test_a_class_with_kuberay_has_its_operator_and_the_definitions(tmp_path: Path, source: Source) -> None:
    operator = image_archive(KUBERAY_IMAGE)
    source.write(f"images/{OPERATOR}", operator)
    sums = f"{sha256(image_archive())}  {RAY}\n{sha256(operator)}  {OPERATOR}\n"
    source.write("images/sha256sum-arm64.txt", sums.encode())
    for name in KUBERAY_CRD_SHA256:
        source.write(f"kuberay/{KUBERAY}/{name}", crd_file(name).read_bytes())
    folder = tmp_path / "class"
    lacking = mirror(folder, "--check", "--mode", "kuberay").stderr
    for what in ("the image of the KubeRay operator: missing", "ray.io_rayjobs.yaml: a definition"):
        assert what in lacking
    filled(folder, source, "--mode", "kuberay")
    assert mirror(folder, "--check", "--mode", "kuberay").returncode == 0
    damaged = folder / "kuberay" / KUBERAY / "ray.io_rayjobs.yaml"
    damaged.write_bytes(b"half of it")
    assert str(damaged) in mirror(folder, "--check", "--mode", "kuberay").stderr


def test_a_class_without_kuberay_needs_nothing_of_it(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "class"
    filled(folder, source)
    assert not (folder / "kuberay").exists()
    assert not (folder / "images" / OPERATOR).exists()
