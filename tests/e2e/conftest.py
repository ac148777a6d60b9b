"""One sandbox for all scenarios; in it a cluster for each engine: the tests' own, and Pulumi if it is there.

The files of this folder are run in the order of their names and work on the same cluster; each leaves it as
it found it: three hosts, two workers. Any of them can be run alone.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from sandbox.machine.progress import Progress
from sandbox.project import TEST_ENGINE
from sandbox.site import Site
from tests.checkout import Checkout
from tests.e2e.cluster import Cluster, cluster_on
from tests.simulated_pis import require_sandbox

ENGINES = ["test", *(["pulumi"] if shutil.which("pulumi") else [])]


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Yield the network, the mirror and the registry, with no host yet."""
    site = Site()
    up = "a sandbox is up, and its hosts are not for tests; run: make sandbox-down"
    require_sandbox([up] if site.is_open else [])
    try:
        site.open(Progress(Console(stderr=True)))
        yield site
    finally:
        site.close()


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Path | None:
    """Return the folder of the engine's `pulumi`; None for the one on PATH."""
    return TEST_ENGINE if request.param == "test" else None


@pytest.fixture(scope="session")
def program(engine: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return the program beside one of the engines."""
    return Checkout(tmp_path_factory.mktemp("program"), engine)


@pytest.fixture(scope="session")
def bare(site: Site, program: Checkout) -> Iterator[Cluster]:
    """Yield three fresh hosts and a stack file that names them; nothing has been done to them yet."""
    hosts = site.start_all(["pi1", "pi2", "pi3"])
    with cluster_on(site, program, hosts) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster(bare: Cluster) -> Cluster:
    """Return those hosts after a first `up`."""
    bare.before = {host.name: host.files() for host in bare.hosts}
    bare.boots = {host.name: host.boot_id() for host in bare.hosts}
    bare.first_up = bare.up()
    assert bare.first_up.code == 0, bare.first_up.said
    return bare
