"""Tests side by side: two streams on simulated Pis, which mostly wait, and the others beside and after."""

import os
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
# Those of a stream share one Docker daemon and one network.
ON_SIMULATED_PIS = ("e2e/", "sandbox/")
# Of these, what does not work on the cluster of the scenarios before.
ON_HOSTS_OF_THEIR_OWN = "e2e/test_9_"
# Of the sandbox, what needs neither.
WITHOUT_THEM = ("sandbox/engine/", "sandbox/test_main.py")
# Platform `local` uses fixed ports.
ON_RAYS_PORTS = ("infra/local/test_nodes.py", "sandbox/engine/test_local_stack.py", "test_real_engine.py")
# The first of them may wait for Kubernetes and Ray to be built.
TIMEOUT_S = 2400

# Each of xdist's workers has a sandbox of its own. Set before anything of the sandbox is imported.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
os.environ["PIRAY_SANDBOX_NUMBER"] = str(int(os.environ.get("PIRAY_SANDBOX_NUMBER", "0")) + _WORKER)

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
    """Keeps what cannot be twice on one machine on one worker; other files go to whoever is free.

    xdist's own groups are markers that it writes into a field which pytest 9.2 no longer has.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0].removeprefix(f"{HERE.name}/")
        if on_simulated_pis(file):
            own = file.startswith(ON_HOSTS_OF_THEIR_OWN)
            return "simulated Pis of their own" if own else "simulated Pis"
        return "Ray on its own ports" if file in ON_RAYS_PORTS else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Streams:
    """Give `pytest -n 2` the streams, the simulated Pis first: xdist would begin with the most tests."""
    config.option.loadscopereorder = False
    return Streams(config, log)
