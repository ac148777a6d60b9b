"""Two streams of tests, side by side: those on simulated Pis, which mostly wait, and all others."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
ON_SIMULATED_PIS = ("e2e", "sandbox")
# The first of them may wait for Kubernetes and Ray to be built.
TIMEOUT_S = 2400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests on simulated Pis, and keep each stream on a worker of its own."""
    for item in items:
        stream = item.path.relative_to(HERE).parts[0]
        if stream in ON_SIMULATED_PIS:
            item.add_marker(pytest.mark.sandbox)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))
        # One machine, one Docker daemon and one Ray head for each stream.
        item.add_marker(pytest.mark.xdist_group("sandbox" if stream in ON_SIMULATED_PIS else "others"))
