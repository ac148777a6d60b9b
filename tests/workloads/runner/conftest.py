"""What the fake Kubernetes of these tests holds."""

import json
from pathlib import Path

import pytest

from tests.workloads.runner.fake_kubernetes import OBJECTS


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(OBJECTS))
    return path
