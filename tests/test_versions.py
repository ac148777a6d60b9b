"""Every copy of a pinned version says what `infra/versions.py` says."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from semver import VersionInfo

from infra import versions
from infra.config.parse import parse
from sandbox import release

ROOT = Path(__file__).resolve().parent.parent
LOCKS = [
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-bench.lock",
    "images/ray/requirements.lock",
]
# Records of what was measured or decided on one day keep the versions of that day.
RECORDS = {"docs/performance.md", "CHANGELOG.md"}
TEXTS = [
    path
    for pattern in ("*.md", "docs/**/*.md", "images/**/*", "Pulumi*.yaml", "pyproject.toml", "infra/**/*.*")
    for path in sorted(ROOT.glob(pattern))
    if path.suffix in {"", ".md", ".in", ".yaml", ".toml", ".py", ".sh"}
    if path.is_file() and "decisions" not in path.parts and str(path.relative_to(ROOT)) not in RECORDS
]
_NUMBERS = r"(\d+\.\d+\.\d+)"
# What a copy looks like, and what it must be. In every match one group is the version.
COPIES = {
    "k3s": (r"(v\d+\.\d+\.\d+\+k3s\d+)", versions.K3S),
    "Ray": (
        rf"(?:\bray(?:\[[\w,]+\])?==|\bRay |[/-]ray:|`ray\.version` \| `){_NUMBERS}",
        versions.RAY,
    ),
    "Numba": (rf"(?i:\bnumba)(?:==| ){_NUMBERS}", versions.NUMBA),
    "NumPy": (rf"(?i:\bnumpy)(?:==| ){_NUMBERS}", versions.NUMPY),
    "Python of the image": (r"\bpython:(\d+\.\d+)-slim", versions.IMAGE_PYTHON),
    "Python of the official image": (r"-py(\d{3})\b", versions.IMAGE_PYTHON.replace(".", "")),
}


def copies(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield each copy of a version, with the file that it is in."""
    for path in TEXTS:
        for match in re.finditer(pattern, path.read_text(encoding="utf-8")):
            yield match[1], str(path.relative_to(ROOT))


def locked(lock: str) -> dict[str, str]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def requirements() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parsed = map(Requirement, project["dependencies"])
    return {requirement.name: requirement for requirement in parsed}


@pytest.mark.parametrize("name", COPIES)
def test_no_text_has_another_version(name: str) -> None:
    pattern, version = COPIES[name]
    found = list(copies(pattern))
    assert found, f"no text has a version of {name}: does the pattern still fit?"
    assert [(copy, file) for copy, file in found if copy != version] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_lock_has_the_pinned_versions(lock: str) -> None:
    pinned = {"ray": versions.RAY, "numba": versions.NUMBA, "numpy": versions.NUMPY}
    assert pinned.items() <= locked(lock).items()


def test_the_image_is_made_from_the_versions_of_the_project() -> None:
    lines = (ROOT / "images/ray/requirements.in").read_text(encoding="utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert {one.name for one in listed} == {"numba", "numpy", "ray"}
    assert all(one.specifier == requirements()[one.name].specifier for one in listed)


def test_the_defaults_of_a_stack_are_the_pinned_versions() -> None:
    hosts = [{"name": "pi1", "address": "198.51.100.11", "role": "server"}]
    config = parse({"platform": "pi", "hosts": hosts, "ssh": {"user": "pi"}, "insecureHostKeys": True})
    assert (config.k3s.version, config.ray.version) == (versions.K3S, versions.RAY)
    assert config.k3s.install_script_sha256 == versions.K3S_INSTALL_SCRIPT_SHA256
    assert config.ray.runtime_packages == versions.OFFICIAL_IMAGE_LACKS


def test_what_the_official_image_lacks_is_what_the_project_computes_with() -> None:
    for text in versions.OFFICIAL_IMAGE_LACKS:
        requirement = Requirement(text)
        assert requirement.specifier == requirements()[requirement.name].specifier


def test_the_image_has_a_python_that_the_project_supports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["requires-python"].startswith(f">={versions.IMAGE_PYTHON},")
    assert project["tool"]["mypy"]["python_version"] == versions.IMAGE_PYTHON


def test_the_cli_that_is_asked_for_is_no_newer_than_the_sdk_that_is_locked() -> None:
    """Else the CLI that is installed for a user, the one of the SDK's version, would be refused."""
    assert VersionInfo.parse(versions.PULUMI_CLI_MIN) <= VersionInfo.parse(
        locked("requirements.lock")["pulumi"]
    )


def test_the_pod_security_standard_is_none_that_k3s_does_not_know_yet() -> None:
    minor = re.match(r"v(\d+)\.(\d+)", versions.K3S)
    standard = re.fullmatch(r"v(\d+)\.(\d+)", versions.POD_SECURITY)
    assert minor is not None
    assert standard is not None
    assert tuple(map(int, standard.groups())) <= tuple(map(int, minor.groups()))


def test_renovate_finds_the_version_of_k3s_where_it_is() -> None:
    managers = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))["customManagers"]
    # Renovate's regular expressions are those of JavaScript, which name a group without P.
    pattern = managers[0]["matchStrings"][0].replace("(?<", "(?P<")
    text = (ROOT / "infra" / "versions.py").read_text(encoding="utf-8")
    assert [match["currentValue"] for match in re.finditer(pattern, text)] == [versions.K3S]


def test_the_stand_in_for_k3s_has_the_version_that_is_the_default() -> None:
    assert release.VERSIONS[0] == versions.K3S
