"""Two streams of tests, side by side: those on simulated Pis, which mostly wait, and all others."""

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
ON_SIMULATED_PIS = ("e2e", "sandbox")
# The first of them may wait for Kubernetes and Ray to be built.
TIMEOUT_S = 2400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests on simulated Pis."""
    for item in items:
        if item.path.relative_to(HERE).parts[0] in ON_SIMULATED_PIS:
            item.add_marker(pytest.mark.sandbox)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


class TwoStreams(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keeps each stream on one worker: there is one Docker daemon, and room for one Ray head, for each.

    xdist's own groups are markers that it writes into a field which pytest 9.2 no longer has.
    """

    def _split_scope(self, nodeid: str) -> str:
        on_pis = nodeid.startswith(tuple(f"{HERE.name}/{folder}/" for folder in ON_SIMULATED_PIS))
        return "simulated Pis" if on_pis else "others"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoStreams:
    """Give `pytest -n 2` the two streams."""
    return TwoStreams(config, log)
