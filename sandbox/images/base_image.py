"""What images/ray/Dockerfile builds on: the official image, or one like it where no registry is reached."""

import re
import tempfile
from pathlib import Path

from sandbox.images.debian import debootstrap
from sandbox.machine.docker import Docker
from sandbox.machine.process import SandboxError, run

LOCAL = "python-base:bookworm"
# What the official image offers to the Dockerfile.
PACKAGES = ["ca-certificates", "python-is-python3", "python3", "python3-pip"]


def base_image(docker: Docker, dockerfile: str) -> str:
    """Return the name of an image that the daemon has.

    Args:
        docker: Pulls it, or imports one.
        dockerfile: The text that names the official one.

    Raises:
        SandboxError: If neither a container registry nor Debian's packages can be reached.
    """
    official = official_base(dockerfile)
    try:
        docker("pull", "--quiet", official)
    except SandboxError:
        _import_local(docker)
        return LOCAL
    return official


def official_base(dockerfile: str) -> str:
    """Find the image that a Dockerfile builds on unless it is told another one.

    Args:
        dockerfile: Its text.
    """
    found = re.search(r"^ARG BASE=(\S+)$", dockerfile, re.MULTILINE)
    if found is None:
        raise SandboxError("images/ray/Dockerfile has no line `ARG BASE=<image>`; the sandbox needs it")
    return found[1]


def _import_local(docker: Docker) -> None:
    with debootstrap(PACKAGES) as root, tempfile.TemporaryDirectory(prefix="piray-base-") as folder:
        # The official image's pip may install into the system's Python.
        for mark in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            mark.unlink()
        tar = Path(folder) / "root.tar"
        run("tar", "--create", f"--file={tar}", f"--directory={root}", ".")
        docker.import_image(tar, LOCAL)
