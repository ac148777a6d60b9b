"""What a mirror holds for one stack, and where each file is. Pure; no network.

The layout is the one that `piray:k3s.mirror` expects: `VERSION/ASSET` as the releases of k3s have it,
`install.sh`, and archives of other images in `images/`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.config.parse import parse
from infra.config.stack_file import StackFileError, read_stack_file
from infra.k3s.release import (
    IMAGES_FOLDER,
    K3sRelease,
    image_archive_name,
    images_name,
    k3s_release,
)
from infra.kuberay.definitions import MIRROR_FOLDER
from infra.mirror.problems import MirrorError
from infra.names import PROJECT
from infra.versions import KUBERAY, KUBERAY_CRD_SHA256

# Best first: k3s and containerd read all of them.
COMPRESSIONS = (".zst", ".gz", "")
_SUM = re.compile(r"([0-9a-f]{64})  ?\*?(\S+)")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the stack of a classroom needs.

    Attributes:
        arch: "arm64" or "amd64".
        k3s_version: Release tag of k3s.
        install_script_sha256: Sum of k3s's install script.
        image: The Ray image.
        packages: Requirements that each job installs, which the image lacks.
        operator_image: The image of the KubeRay operator; empty for a stack without KubeRay.
        archive: The file that the stack says the Ray image comes from; None if it comes from elsewhere.
    """

    arch: str
    k3s_version: str
    install_script_sha256: str
    image: str
    packages: tuple[str, ...]
    operator_image: str = ""
    archive: Path | None = None

    def release(self, source: str | None) -> K3sRelease:
        """Where k3s comes from: a mirror, or its releases."""
        return k3s_release(self.k3s_version, self.arch, source, self.install_script_sha256)

    @property
    def sums_name(self) -> str:
        """Name of each list of sums."""
        return f"sha256sum-{self.arch}.txt"

    @property
    def images_names(self) -> list[str]:
        """Names of the archive of k3s's own images; one of them is enough."""
        return [images_name(self.arch) + suffix for suffix in COMPRESSIONS]

    @property
    def images(self) -> dict[str, str]:
        """The images that are archives of their own, by what they are."""
        operator = {"the image of the KubeRay operator": self.operator_image} if self.operator_image else {}
        return {"the Ray image": self.image, **operator}

    @property
    def definitions(self) -> dict[str, str]:
        """Sums of the definitions of KubeRay's resources, by their paths in the mirror."""
        folder = f"{MIRROR_FOLDER}/{KUBERAY}"
        sums = KUBERAY_CRD_SHA256 if self.operator_image else {}
        return {f"{folder}/{file}": sha256 for file, sha256 in sums.items()}


def image_names(image: str) -> list[str]:
    """Names of the archive of an image; one of them is enough."""
    return [image_archive_name(image) + suffix for suffix in COMPRESSIONS]


def wanted_by(stack_file: Path | None, **overrides: str | None) -> Wanted:
    """Work out what a mirror has to hold.

    Args:
        stack_file: A stack's file, right in what concerns a mirror; None for the defaults.
        overrides: `arch`, `version`, `image`, `mode` and `sha256` where they differ from it.

    Raises:
        ConfigError: With every problem there is.
        MirrorError: If the file is no stack file.
    """
    sections = _sections(stack_file) if stack_file else {}
    k3s, ray = dict(sections.get("k3s") or {}), dict(sections.get("ray") or {})
    for section, key, name in (
        (sections, "arch", "arch"),
        (k3s, "version", "version"),
        (k3s, "installScriptSha256", "sha256"),
        (ray, "image", "image"),
        (ray, "mode", "mode"),
    ):
        if overrides.get(name):
            section[key] = overrides[name]
    host = {"name": "pi1", "address": "198.51.100.11", "role": "server"}
    around = {"platform": "pi", "hosts": [host], "insecureHostKeys": True, "ssh": {"user": "nobody"}}
    values = {**around, **sections, "k3s": k3s, "ray": ray}
    config = parse(values)
    source = config.ray.image_source
    return Wanted(
        arch=config.arch,
        k3s_version=config.k3s.version,
        install_script_sha256=config.k3s.install_script_sha256,
        image=config.ray.image,
        packages=config.ray.runtime_packages,
        operator_image=config.ray.operator.image if config.ray.mode == "kuberay" else "",
        archive=Path(source.file).expanduser() if source.file else None,
    )


def _sections(stack_file: Path) -> dict[str, Any]:
    """Return what concerns a mirror as it stands in a stack file; other keys may be wrong or encrypted."""
    try:
        config = read_stack_file(stack_file).get("config") or {}
    except StackFileError as error:
        raise MirrorError(str(error)) from None
    values = {str(key).removeprefix(f"{PROJECT}:"): value for key, value in config.items()}
    return {key: values[key] for key in ("arch", "k3s", "ray") if key in values}


def read_sums(text: str) -> dict[str, str]:
    """Return the SHA-256 sums of a list in the form of sha256sum, by the name of the file."""
    found = (_SUM.fullmatch(line) for line in text.splitlines())
    return {match[2]: match[1] for match in found if match}


def images_folder(directory: Path) -> Path:
    """Where a mirror has archives of other images than k3s's own."""
    return directory / IMAGES_FOLDER
