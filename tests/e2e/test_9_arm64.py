"""Pods of a Pi: the arm64 image on a host that says it is one; its programs are emulated, k3s is not.

Right answers, wheels and start-up are a Pi's; times are not.
"""

import json
from collections.abc import Iterator

import pytest

from sandbox.machine.emulation import lacking
from sandbox.pi.host import Hardware
from sandbox.project import TEST_ENGINE
from sandbox.site import Site
from sandbox.stack import STACK
from tests.checkout import Checkout
from tests.drawing import options, picture
from tests.e2e.cluster import Cluster, cluster_on
from tests.images.container import require_quick_emulation
from tests.simulated_pis import require_sandbox
from workloads.mandelbrot.plan import Plan
from workloads.runner import pi_job, stack_outputs

PLAN = Plan(x_grids=2, y_grids=2, grid_width=20, grid_height=20, max_iterations=200)
NAME = "pi31"
# A kubelet sets the label back to its own processor every few seconds; a pod needs it once, to be placed.
LABEL = f"while sleep 2; do k3s kubectl label node {NAME} kubernetes.io/arch=arm64 --overwrite; done"


@pytest.fixture(scope="module")
def emulated(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a stack with `arch: arm64` after its first `up`."""
    require_sandbox(lacking())
    require_quick_emulation()
    if not site.has_stand_in:
        pytest.skip("the sandbox has the real k3s, whose arm64 program does not run emulated")
    program = Checkout(tmp_path_factory.mktemp("arm64"), TEST_ENGINE)
    with site.as_arm64() as sources:
        host = site.start(NAME, Hardware(card=("arm64",)))
        with cluster_on(site, program, [host]) as cluster:
            host.wait_until_up()
            cluster.workers, cluster.sources = 1, sources
            host.as_root(f"systemd-run --quiet --unit=label bash -c '{LABEL}'")
            cluster.first_up = cluster.up()
            assert cluster.first_up.code == 0, cluster.first_up.said
            yield cluster


@pytest.mark.timeout(1200)
def test_pods_of_an_arm64_stack_are_arm64_programs(emulated: Cluster) -> None:
    pods = [*emulated.pods("head"), *emulated.pods("worker")]
    assert [pod.ready for pod in pods] == [True, True]
    for pod in pods:
        said = emulated.kubectl(
            "exec", "--namespace=ray", pod.name, "--", "python", "-c", "import os; print(os.uname().machine)"
        )
        assert said.strip() == "aarch64"


def test_the_pi_job_is_complete_and_right_within_four_standard_errors(emulated: Cluster) -> None:
    outputs = stack_outputs.parse(emulated.outputs, STACK)
    assert outputs.kubeconfig
    assert outputs.namespace
    assert outputs.pi_job
    done = pi_job.read(outputs.kubeconfig, outputs.namespace, outputs.pi_job)
    assert len(done.parts) == outputs.pi_job.completions


@pytest.mark.timeout(900)
def test_mandelbrot_draws_the_picture_that_this_machine_draws(emulated: Cluster) -> None:
    ended = emulated.piray("mandelbrot", *options(PLAN, repeats=1))
    assert ended.code == 0, ended.said
    assert (emulated.program.folder / "mandelbrot.png").read_bytes() == picture(PLAN)
    result = json.loads((emulated.program.folder / "mandelbrot.json").read_text())
    assert [row["workers"] for row in result["rows"]] == [0, 1]
