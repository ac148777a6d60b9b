"""Releases of k3s for the sandbox: a directory laid out as the program's `piray:k3s.mirror` wants it.

What lies in it is a stand-in, built from sandbox/k3s/: upstream Kubernetes in k3s's clothes. Where the real
releases are reached, they are the better test. Two versions are served, so that an upgrade can be tried; the
second is the same code with another version stamped on it.
"""

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from infra.k3s.release import K3sRelease, images_name, k3s_release
from sandbox.images.archive import __file__ as archive_recipe
from sandbox.images.archive import write_image_archive
from sandbox.machine.cache import cached
from sandbox.machine.go import go_build, go_version
from sandbox.machine.process import SandboxError

VERSIONS = ("v1.36.5+k3s1", "v1.37.1+k3s1")

SOURCE = Path(__file__).parent / "k3s"
_INSTALL_SCRIPT = SOURCE / "install.sh"

_REACH_S = 5


def mirror() -> Path:
    """Return the mirror's directory, built on the first call: about 7 minutes with two cores and no Go cache.

    Raises:
        SandboxError: If there is no Go that can build it, or the build fails.
    """
    recipe = [Path(__file__), Path(archive_recipe)]
    return cached("k3s-mirror", [SOURCE, *recipe, go_version(SOURCE), *VERSIONS], _build)


def install_script_sha256() -> str:
    """Return what to configure as `piray:k3s.installScriptSha256`: the stand-in has a script of its own."""
    return _sha256(_INSTALL_SCRIPT)


def real_releases_reachable() -> bool:
    """Say whether this machine reaches what the program downloads without a mirror."""
    release = k3s_release(VERSIONS[0], architecture())
    return all(_answers(url) for url in (release.binary_url, release.sums_url, release.install_script_url))


def _answers(url: str) -> bool:
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 — https:// constants of infra
        with urllib.request.urlopen(request, timeout=_REACH_S) as answer:  # noqa: S310
            return bool(answer.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False


def _build(directory: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="piray-k3s-") as scratch:
        pause, coredns = Path(scratch) / "pause", Path(scratch) / "coredns"
        go_build(SOURCE, "./pause", pause)
        go_build(SOURCE / "coredns", ".", coredns)
        # Of the three forms of the real releases the one that needs no further program to be made.
        images = Path(scratch) / f"{images_name(architecture())}.gz"
        write_image_archive(
            images,
            {"localhost/k3s-stand-in/pause:1": pause, "localhost/k3s-stand-in/coredns:1": coredns},
            architecture(),
        )
        for version in VERSIONS:
            release = k3s_release(version, architecture())
            folder = directory / version
            folder.mkdir()
            binary = folder / release.binary_name
            go_build(SOURCE, ".", binary, f"-s -w {_stamps(version)}")
            shutil.copy(images, folder)
            sums = [f"{_sha256(file)}  {file.name}\n" for file in sorted(folder.iterdir())]
            (folder / _sums_name(release)).write_text("".join(sums))
    shutil.copy(_INSTALL_SCRIPT, directory / "install.sh")


def _stamps(version: str) -> str:
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())


def architecture() -> str:
    """Return the name of this machine's processor, which is that of the hosts, too: amd64 or arm64."""
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    machine = os.uname().machine
    if machine not in names:
        raise SandboxError(
            f"this machine is {machine}; the simulated hosts are {' or '.join(names)}; use another one"
        )
    return names[machine]


def _sums_name(release: K3sRelease) -> str:
    return release.sums_url.rsplit("/", 1)[1]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
