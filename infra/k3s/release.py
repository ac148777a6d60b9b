"""Where a k3s release comes from: pure text, no Pulumi.

Releases: https://github.com/k3s-io/k3s/releases. The install script is that of the pinned commit; a mirror
serves the same bytes as `<mirror>/install.sh`.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

from infra.versions import K3S_INSTALL_SCRIPT_COMMIT, K3S_INSTALL_SCRIPT_SHA256

RELEASES_URL = "https://github.com/k3s-io/k3s/releases/download"
INSTALL_SCRIPT_URL = f"https://raw.githubusercontent.com/k3s-io/k3s/{K3S_INSTALL_SCRIPT_COMMIT}/install.sh"
# Of a mirror; beside the releases.
IMAGES_FOLDER = "images"
WHEELS_FOLDER = "wheels"

_BINARY_NAMES = {"amd64": "k3s", "arm64": "k3s-arm64"}


@dataclass(frozen=True, kw_only=True)
class K3sRelease:
    """Addresses of what one host downloads.

    Attributes:
        version: Release tag, e.g. "v1.36.5+k3s1".
        binary_name: Name of the binary in the release and in its sum file.
        binary_url: Where the binary is.
        sums_url: Where the release's SHA-256 sums are, one `<sum>  <name>` a line.
        install_script_url: Where the install script is.
        install_script_sha256: Sum that the install script must have.
        images_url: Where the archive of k3s's own images is, without its compression; None without a mirror.
        image_sums_url: Where the SHA-256 sums of a mirror's other archives of images are; None without one.
    """

    version: str
    binary_name: str
    binary_url: str
    sums_url: str
    install_script_url: str
    install_script_sha256: str
    images_url: str | None = None
    image_sums_url: str | None = None


def k3s_release(
    version: str,
    arch: str,
    mirror: str | None = None,
    install_script_sha256: str = K3S_INSTALL_SCRIPT_SHA256,
) -> K3sRelease:
    """Build the addresses of a release.

    Args:
        version: Release tag, e.g. "v1.36.5+k3s1".
        arch: "arm64" or "amd64".
        mirror: HTTP directory laid out as the releases are (`<mirror>/<version>/<asset>`), without a
            trailing slash; None for GitHub.
        install_script_sha256: Sum that the install script must have.

    Raises:
        ValueError: If k3s has no 64-bit binary for the architecture.
    """
    if arch not in _BINARY_NAMES:
        raise ValueError(f"arch {arch!r}: k3s is installed for {' or '.join(sorted(_BINARY_NAMES))}")
    binary_name = _BINARY_NAMES[arch]
    # GitHub wants %2B for the + of a tag; a web server maps it to a directory named with a literal +.
    directory = f"{mirror or RELEASES_URL}/{quote(version, safe='')}"
    return K3sRelease(
        version=version,
        binary_name=binary_name,
        binary_url=f"{directory}/{binary_name}",
        sums_url=f"{directory}/sha256sum-{arch}.txt",
        install_script_url=f"{mirror}/install.sh" if mirror else INSTALL_SCRIPT_URL,
        install_script_sha256=install_script_sha256,
        images_url=f"{directory}/{images_name(arch)}" if mirror else None,
        image_sums_url=f"{mirror}/{IMAGES_FOLDER}/sha256sum-{arch}.txt" if mirror else None,
    )


def images_name(arch: str) -> str:
    """Name of the archive of k3s's own images, without .zst or .gz."""
    return f"k3s-airgap-images-{arch}.tar"


def image_archive_name(image: str) -> str:
    """Name under which a mirror has an archive of an image, without .zst or .gz.

    Args:
        image: Reference with tag or digest, e.g. "rayproject/ray:2.60.0-py311-aarch64".
    """
    return re.sub(r"[^A-Za-z0-9.-]", "_", image) + ".tar"
