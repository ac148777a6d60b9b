"""A fake host and a mirror for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.fake_host import FakeHost
from tests.infra.k3s.mirror import Mirror, k3s_host, served


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with served(tmp_path / "mirror") as mirror:
        yield mirror


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return k3s_host(tmp_path / "host")
