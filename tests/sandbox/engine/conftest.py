"""Small programs for the test engine, and for the real one where it is on PATH."""

from pathlib import Path

import pytest

from tests.sandbox.engine.scenario import ENGINES, REAL, Scenario


@pytest.fixture(params=ENGINES)
def scenario(tmp_path: Path, request: pytest.FixtureRequest) -> Scenario:
    return Scenario(tmp_path, real=request.param == REAL)


@pytest.fixture
def ours(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path)
