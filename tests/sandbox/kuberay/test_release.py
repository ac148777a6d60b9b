"""What the sandbox has of KubeRay, in place of its release."""

import shutil
from pathlib import Path

import pytest

from sandbox.kuberay.release import copy_definitions, operator_image, version


def test_the_operator_s_image_has_the_version_of_its_module() -> None:
    assert operator_image().endswith(f"/kuberay/operator:{version()}")


@pytest.mark.skipif(not shutil.which("go"), reason="go is not on PATH")
def test_the_mirror_has_the_definitions_of_the_same_version(tmp_path: Path) -> None:
    copy_definitions(tmp_path)
    found = sorted(tmp_path.rglob("*.yaml"))
    assert {path.parent.relative_to(tmp_path).as_posix() for path in found} == {f"kuberay/{version()}"}
    resources = ("rayclusters", "raycronjobs", "rayjobs", "rayservices")
    assert [path.name for path in found] == [f"ray.io_{name}.yaml" for name in resources]
    assert all("kind: CustomResourceDefinition\n" in path.read_text() for path in found)
