"""What is lost in the middle of a Mandelbrot run, and what becomes of the run."""

from collections.abc import Callable, Iterator

import pytest

from sandbox.stack import STACK
from tests.checkout import Ended
from tests.drawing import options, picture
from tests.e2e.cluster import Cluster, wait_until, whole
from tests.e2e.ray_state import computed_bands
from workloads.mandelbrot.plan import Plan

# Some seconds for each of its rows: long enough to lose somebody in the middle.
PLAN = Plan(x_grids=16, y_grids=16, grid_width=60, grid_height=60, max_iterations=100_000)


def run_and_lose(cluster: Cluster, node: str, lose: Callable[[], object]) -> Ended:
    """Start a run, and lose somebody once the node has computed a few bands for it."""
    before = computed_bands(cluster)[node]
    running = cluster.program.start(
        "workloads.cli", "run", "mandelbrot", "--stack", STACK, *options(PLAN, repeats=3)
    )
    try:
        wait_until(lambda: computed_bands(cluster)[node] > before + 1 or running.poll() is not None)
        assert running.poll() is None, "the run ended before anything could be lost"
        lose()
        stdout, stderr = running.communicate(timeout=240)
    finally:
        if running.poll() is None:
            cluster.program.interrupt(running)
            running.wait()
    return Ended(running.returncode, stdout, stderr)


@pytest.fixture(autouse=True)
def repaired(cluster: Cluster) -> Iterator[None]:
    yield
    wait_until(lambda: whole(cluster), timeout=180)


def drawn(cluster: Cluster) -> bytes:
    return (cluster.program.folder / "mandelbrot.png").read_bytes()


@pytest.fixture(scope="module")
def expected() -> bytes:
    """Return the picture of a single process."""
    return picture(PLAN)


def test_a_worker_that_is_killed_costs_its_tiles_and_is_named(cluster: Cluster, expected: bytes) -> None:
    victim = cluster.pods("worker")[-1]
    kill = ["delete", "pod", victim.name, "--namespace=ray", "--grace-period=0", "--force", "--wait=false"]
    ended = run_and_lose(cluster, victim.node, lambda: cluster.kubectl(*kill))
    assert ended.code == 0, ended.said
    assert drawn(cluster) == expected
    assert victim.node in ended.stdout
    assert "Lost" in ended.stdout


def test_a_host_whose_power_goes_costs_its_tiles_and_is_named(cluster: Cluster, expected: bytes) -> None:
    victim = cluster.pods("worker")[-1]
    host = cluster.host(victim.node)
    try:
        ended = run_and_lose(cluster, victim.node, host.power_off)
    finally:
        host.power_on()
    assert ended.code == 0, ended.said
    assert drawn(cluster) == expected
    assert victim.node in ended.stdout
    assert "Lost" in ended.stdout


def test_without_its_head_a_run_ends_with_one_clear_line_and_the_next_one_works(
    cluster: Cluster, expected: bytes
) -> None:
    (head,) = cluster.pods("head")
    kill = ["delete", "pod", head.name, "--namespace=ray", "--grace-period=0", "--force", "--wait=false"]
    ended = run_and_lose(cluster, head.node, lambda: cluster.kubectl(*kill))
    assert ended.code not in {0, -2, 130}
    assert "Traceback" not in ended.said
    assert ended.stderr.strip().splitlines()[-1].startswith("piray: ")
    wait_until(lambda: whole(cluster), timeout=180)
    again = cluster.piray("mandelbrot", *options(PLAN, repeats=1))
    assert again.code == 0, again.said
    assert drawn(cluster) == expected
