"""An archive of the Ray image, made by whichever program for images this machine has."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.image_inputs import REPOSITORY
from infra.mirror.problems import MirrorError

# Where the programs for OCI images write the whole name of one.
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_Commands = Callable[[str, str, Path], list[list[str]]]

# In this order: the first two need no daemon. Each takes image, processor and file.
PROGRAMS: dict[str, _Commands] = {
    "skopeo": lambda image, arch, file: [
        ["skopeo", "--override-os=linux", f"--override-arch={arch}", "copy", f"docker://{image}"]
        + [f"docker-archive:{file}:{image}"]
    ],
    "crane": lambda image, arch, file: [["crane", "pull", f"--platform=linux/{arch}", image, str(file)]],
    "podman": lambda image, arch, file: [
        ["podman", "pull", f"--platform=linux/{arch}", image],
        ["podman", "save", "--format=docker-archive", f"--output={file}", image],
    ],
    "docker": lambda image, arch, file: [
        ["docker", "pull", f"--platform=linux/{arch}", image],
        ["docker", "save", f"--output={file}", image],
    ],
}


def save_image(image: str, arch: str, file: Path) -> None:
    """Write an archive of an image.

    Args:
        image: Reference with a tag.
        arch: "arm64" or "amd64".
        file: Where it goes; whole, or not at all.

    Raises:
        MirrorError: If no program can, or the image is another one.
    """
    if "@" in image:
        raise MirrorError(
            f"{image} is named by its digest; an archive keeps names with a tag only; give ray.image a tag"
        )
    if image.startswith(f"{REPOSITORY}:"):
        raise MirrorError(
            f"{image} is in no registry; give its archive with --archive FILE; `piray image build` makes one"
        )
    name = next((name for name in PROGRAMS if shutil.which(name)), None)
    if name is None:
        raise MirrorError(
            f"none of {', '.join(PROGRAMS)} is on PATH; one of them has to fetch the image {image}; "
            "install one, e.g. sudo apt-get install skopeo"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    try:
        for command in PROGRAMS[name](image, arch, part):
            part.unlink(missing_ok=True)  # skopeo adds to an archive.
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode:
                said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
                raise MirrorError(f"`{' '.join(command[:3])} …` failed for {image}: {said[0]}; run it again")
        if problem := wrong_image(part, image, arch):
            raise MirrorError(f"{name} has fetched another image: {problem}")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def wrong_image(file: Path, image: str, arch: str) -> str:
    """Say what makes an archive the wrong one; empty where it is right."""
    try:
        with tarfile.open(file) as archive:
            found, config = _look(archive)
            _read_to_the_end(archive)
    except (tarfile.TarError, KeyError, IndexError, ValueError, TypeError, EOFError, OSError) as error:
        reason = str(error).partition("\n")[0]
        return (
            f"{file.name} is not an archive as `docker save` writes it, nor one of OCI programs, or it is "
            f"cut off ({reason}); if it was copied, copy it again"
        )
    names = [_short(name) for name in found]
    if _short(image) not in names:
        return f"{file.name} holds {', '.join(names) or 'an image without a name'}, not {image}"
    if config.get("architecture") != arch:
        return f"{image} in {file.name} is for {config.get('architecture')}, not for {arch}"
    return ""


def _look(archive: tarfile.TarFile) -> tuple[list[str], Any]:
    """Return the names and the configuration of the image in an archive of either form.

    https://github.com/moby/docker-image-spec/blob/main/v1.2.md,
    https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
    """
    if "manifest.json" in archive.getnames():
        manifest = json.loads(_read(archive, "manifest.json"))[0]
        return manifest.get("RepoTags") or [], json.loads(_read(archive, manifest["Config"]))
    described = json.loads(_read(archive, "index.json"))["manifests"][0]
    annotations = described.get("annotations", {})
    names = [annotations[key] for key in _NAMES if key in annotations]
    manifest = json.loads(_read(archive, _blob(described["digest"])))
    return names, json.loads(_read(archive, _blob(manifest["config"]["digest"])))


def _read_to_the_end(archive: tarfile.TarFile) -> None:
    """Read the last file, so that an archive that was cut off is seen to be.

    Raises:
        EOFError: If it ends before.
    """
    last = archive.getmembers()[-1]
    if last.isreg() and len(_read(archive, last.name)) < last.size:
        raise EOFError(f"it ends in the middle of {last.name}")


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(name)
    return member.read()


def _short(image: str) -> str:
    return image.removeprefix("docker.io/").removeprefix("library/")
