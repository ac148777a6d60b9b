"""What the Ray image is made from on the user's machine, and a number that stands for all of it."""

import hashlib
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
DOCKERFILE = "images/ray/Dockerfile"
# A registry that is nowhere: k3s lets the Nodes give each other its images all the same, not so of localhost.
# https://docs.k3s.io/installation/registry-mirror (Sharing Air-gap or Manually Loaded Images)
REPOSITORY = "piray.internal/ray"
_FOLDERS = ("images/ray", "infra/image")
_DIGITS = 12


def context_files(project: Path = PROJECT) -> list[str]:
    """Return the Dockerfile and the files that it copies into the image, as paths from the project's root."""
    text = (project / DOCKERFILE).read_text().replace("\\\n", "")
    named = [name for names in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for name in names.split()]
    return [DOCKERFILE, *(file for name in named for file in _files(project, name))]


def built_image(version: str, arch: str, builder: str, project: Path = PROJECT) -> str:
    """Return the name of the image that a builder makes from the files of this project.

    It follows from what goes in, so that it is known before anything is built, and is another one as soon as
    a file has changed.

    Args:
        version: Of Ray.
        arch: "arm64" or "amd64".
        builder: What makes it.
        project: The project's root.
    """
    digest = hashlib.sha256(f"{arch} {builder}\n".encode())
    names = {*context_files(project), *(file for folder in _FOLDERS for file in _files(project, folder))}
    for name in sorted(names):
        content = hashlib.sha256((project / name).read_bytes()).hexdigest()
        digest.update(f"{content} {name}\n".encode())
    return f"{REPOSITORY}:{version}-{digest.hexdigest()[:_DIGITS]}"


def _files(project: Path, name: str) -> list[str]:
    """Return a file, or the files of a folder that are no generated ones."""
    path = project / name
    found = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    kept = (file.relative_to(project) for file in found if "__pycache__" not in file.parts)
    return sorted(file.as_posix() for file in kept)
