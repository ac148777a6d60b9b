"""Where a k3s release comes from: pure text, no Pulumi.

Releases: https://github.com/k3s-io/k3s/releases. The install script is not part of a release and no release
has its sum, so its commit and SHA-256 are pinned here; a mirror serves the same bytes as
`<mirror>/install.sh`.
"""

from dataclasses import dataclass
from urllib.parse import quote

# Both move together; newer commits: https://github.com/k3s-io/k3s/commits/main/install.sh
INSTALL_SCRIPT_COMMIT = "0136cf258954a458da1404858396342724b93d24"
INSTALL_SCRIPT_SHA256 = "40b487f0d8ef4f5d1bf422e7bb6228cc7789c40ecc66c5ab067d396bbee9816e"

RELEASES_URL = "https://github.com/k3s-io/k3s/releases/download"
INSTALL_SCRIPT_URL = f"https://raw.githubusercontent.com/k3s-io/k3s/{INSTALL_SCRIPT_COMMIT}/install.sh"

_BINARY_NAMES = {"amd64": "k3s", "arm64": "k3s-arm64"}


@dataclass(frozen=True, kw_only=True)
class K3sRelease:
    """Addresses of what one host downloads.

    Attributes:
        version: Release tag, e.g. "v1.36.3+k3s1".
        binary_name: Name of the binary in the release and in its sum file.
        binary_url: Where the binary is.
        sums_url: Where the release's SHA-256 sums are, one `<sum>  <name>` a line.
        install_script_url: Where the pinned install script is.
    """

    version: str
    binary_name: str
    binary_url: str
    sums_url: str
    install_script_url: str


def k3s_release(version: str, arch: str, mirror: str | None = None) -> K3sRelease:
    """Build the addresses of a release.

    Args:
        version: Release tag, e.g. "v1.36.3+k3s1".
        arch: "arm64" or "amd64".
        mirror: HTTP directory laid out as the releases are (`<mirror>/<version>/<asset>`), without a
            trailing slash; None for GitHub.

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
    )
