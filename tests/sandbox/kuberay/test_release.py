"""What the sandbox has of KubeRay, in place of its release."""

import hashlib
import shutil
from pathlib import Path

import pytest

from infra import versions
from infra.kuberay.definitions import definitions_url
from sandbox.kuberay.release import copy_definitions, operator_image, version


def test_the_operator_is_the_version_that_the_program_installs() -> None:
    assert version() == versions.KUBERAY
    # As that of the release, but for the registry.
    assert operator_image().split("/", 1)[1] == versions.KUBERAY_IMAGE.split("/", 1)[1]


@pytest.mark.skipif(not shutil.which("go"), reason="go is not on PATH")
def test_the_mirror_has_the_definitions_that_the_program_asks_for(tmp_path: Path) -> None:
    copy_definitions(tmp_path)
    folder = Path(definitions_url(str(tmp_path)))
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert found == versions.KUBERAY_CRD_SHA256
