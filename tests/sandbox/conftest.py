"""The daemon and the image of the simulated Pis, for tests that make hosts of their own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.machine.docker import Docker
from sandbox.machine.runtime import runtime_directory
from sandbox.pi.host import ssh_key
from sandbox.pi.host_image import NAME, host_image
from tests.sandbox.making import Making
from tests.simulated_pis import require_sandbox


@pytest.fixture(scope="session")
def image() -> Path:
    """Return the host image's root file system."""
    require_sandbox()
    return host_image()


@pytest.fixture(scope="session")
def making(image: Path) -> Iterator[Making]:
    """Yield a maker of hosts beside those of a sandbox that is up; what it made is gone afterwards."""
    runtime = runtime_directory()
    was_there = runtime.exists()
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    docker = Docker(runtime)
    docker.start()
    docker.import_image(image, NAME)
    making = Making(docker, ssh_key(runtime / "ssh"))
    yield making
    making.remove_all()
    if not was_there:
        docker.stop()
        shutil.rmtree(runtime)
