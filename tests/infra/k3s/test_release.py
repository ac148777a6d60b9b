"""Addresses of k3s releases, at GitHub and on a mirror."""

import pytest

from infra.k3s.release import k3s_release
from infra.versions import K3S_INSTALL_SCRIPT_COMMIT


def test_github_gets_its_plus_encoded() -> None:
    release = k3s_release("v1.36.5+k3s1", "arm64")
    base = "https://github.com/k3s-io/k3s/releases/download/v1.36.5%2Bk3s1"
    assert release.binary_url == f"{base}/k3s-arm64"
    assert release.sums_url == f"{base}/sha256sum-arm64.txt"
    assert release.install_script_url == (
        f"https://raw.githubusercontent.com/k3s-io/k3s/{K3S_INSTALL_SCRIPT_COMMIT}/install.sh"
    )


def test_a_mirror_is_laid_out_as_the_releases_with_the_script_beside_them() -> None:
    release = k3s_release("v1.36.5+k3s1", "amd64", "http://198.51.100.9:8000/k3s")
    assert release.binary_name == "k3s"
    assert release.binary_url == "http://198.51.100.9:8000/k3s/v1.36.5%2Bk3s1/k3s"
    assert release.sums_url == "http://198.51.100.9:8000/k3s/v1.36.5%2Bk3s1/sha256sum-amd64.txt"
    assert release.install_script_url == "http://198.51.100.9:8000/k3s/install.sh"


def test_a_32_bit_architecture_has_no_release() -> None:
    with pytest.raises(ValueError, match="'armhf': k3s is installed for amd64 or arm64"):
        k3s_release("v1.36.5+k3s1", "armhf")
