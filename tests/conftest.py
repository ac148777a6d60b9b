"""Tests side by side: two streams on simulated Pis, which mostly wait, and the others beside them."""

import os
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
# Each process of xdist has a sandbox of its own; the modules that read the number are imported later.
if "PYTEST_XDIST_WORKER" in os.environ:
    _first = int(os.environ.get("PIRAY_SANDBOX_NUMBER", "0"))
    os.environ["PIRAY_SANDBOX_NUMBER"] = str(
        _first + int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    )
ON_SIMULATED_PIS = ("e2e/", "sandbox/")
# These scenarios share a cluster; all others make hosts of their own.
ON_ONE_CLUSTER = tuple(f"e2e/test_{number}_" for number in range(1, 8))
# Of the sandbox, what needs neither.
WITHOUT_THEM = ("sandbox/engine/", "sandbox/test_main.py")
# Platform `local` uses fixed ports.
ON_RAYS_PORTS = ("infra/local/test_nodes.py", "sandbox/engine/test_local_stack.py", "test_real_engine.py")
# The first of them may wait for Kubernetes and Ray to be built.
TIMEOUT_S = 2400

# How long an example takes says nothing on a machine on which others work as well.
hypothesis.settings.register_profile("piray", deadline=None)
hypothesis.settings.load_profile("piray")


def on_simulated_pis(file: str) -> bool:
    """Say whether the tests of a file, named from this folder on, are for simulated Pis."""
    return file.startswith(ON_SIMULATED_PIS) and not file.startswith(WITHOUT_THEM)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests on simulated Pis; platform `local` comes last, when these no longer need both cores."""
    items.sort(key=lambda item: item.path.relative_to(HERE).as_posix() in ON_RAYS_PORTS)
    for item in items:
        if on_simulated_pis(item.path.relative_to(HERE).as_posix()):
            item.add_marker(pytest.mark.sandbox)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


class Streams(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keeps what shares a cluster, or cannot be twice, on one worker; other files go to whoever is free.

    xdist's own groups are markers that it writes into a field which pytest 9.2 no longer has.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0].removeprefix(f"{HERE.name}/")
        if on_simulated_pis(file):
            return "one cluster" if file.startswith(ON_ONE_CLUSTER) else "hosts of their own"
        return "Ray on its own ports" if file in ON_RAYS_PORTS else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Streams:
    """Give `pytest -n 3` the streams, the simulated Pis first: xdist would begin with the most tests."""
    config.option.loadscopereorder = False
    return Streams(config, log)
