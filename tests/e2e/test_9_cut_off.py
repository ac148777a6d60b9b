"""The kill table: `up` and `down` killed at each step, and what the next ones make of it.

One stack on one host. Each run is killed with all its processes at one moment of one step; the next run has
to come past it to be killed at the next one. On the test engine that is every step of the program, on the
real engine one step of each kind.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sandbox.site import Site
from sandbox.stack import STACK
from tests.checkout import Checkout
from tests.e2e.cluster import Cluster, cluster_on, wait_until, whole
from tests.e2e.cutting import Step, run_cut_off

# Nothing happens between "after" a step and "before" the next one, so that "before" is for the first only.
MOMENTS = ("before", "during", "after")
# A run that is killed "during" a step is killed so many seconds after its begin, in turn.
SECONDS = (0.2, 1.0, 2.5)
# Each a while after the one before: what is made beside another step may be done when that one is cut off.
REAL_STEPS = {"pi21-prepare", "pi21-install", "ray-namespace", "ray-head", "pi-job"}


@pytest.fixture(scope="module")
def one(site: Site, engine: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a stack of one fresh host to which nothing has been done."""
    program = Checkout(tmp_path_factory.mktemp("cut"), engine)
    with cluster_on(site, program, site.start_all(["pi21"])) as cluster:
        cluster.workers = 1
        cluster.before = {host.name: host.files() for host in cluster.hosts}
        yield cluster


def cut_off_at_each(cluster: Cluster, run: str, steps: Sequence[tuple[str, str]]) -> None:
    """Kill a run before, during and after each of the steps, which come in this order and not side by side.

    Args:
        cluster: The stack.
        run: "up" or "down".
        steps: "make" or "remove", and the name of the resource.
    """
    seconds = itertools.cycle(SECONDS)
    for position, (action, name) in enumerate(steps):
        later = [other for _, other in steps[position + 1 :] if other != name]
        if not cluster.program.is_real:
            for moment in MOMENTS[position > 0 :]:
                run_cut_off(cluster, run, Step(moment, action, name, next(seconds)), later)
        elif name in REAL_STEPS:
            run_cut_off(cluster, run, Step("during", action, name, next(seconds)), later)


def planned(cluster: Cluster) -> list[tuple[str, str]]:
    """Return operation and name of all that `up` would do, in an order in which it can be done."""
    cluster.configure()
    preview = cluster.program.deploy("preview", STACK)
    assert preview.code == 0, preview.said
    return [(operation, name) for operation, name in preview.steps if operation != "same"]


def assert_converged(cluster: Cluster) -> None:
    """Finish what was cut off last; then nothing is left to do, nothing missing and nothing there twice."""
    up = cluster.up()
    assert up.code == 0, up.said
    assert cluster.up().changes == set()
    wait_until(lambda: whole(cluster))
    objects = {
        kind: sorted(item["metadata"]["name"] for item in cluster.items(kind))
        for kind in ("deployments", "services", "networkpolicies", "secrets", "jobs", "configmaps")
    }
    objects["configmaps"].remove("kube-root-ca.crt")
    assert objects["deployments"] == ["ray-head", "ray-worker"]
    assert objects["services"] == ["ray-head"]
    assert objects["networkpolicies"] == ["ray-deny", "ray-peers"]
    assert [len(objects[kind]) for kind in ("secrets", "jobs", "configmaps")] == [1, 1, 1]
    assert objects["jobs"] == [cluster.outputs["piJob"]["name"]]
    assert len(cluster.pods()) == 1 + cluster.workers + cluster.outputs["piJob"]["completions"]


@pytest.mark.timeout(900)
def test_up_is_killed_while_it_makes_each_of_its_resources(one: Cluster) -> None:
    steps = planned(one)
    assert {operation for operation, _ in steps} == {"create"}
    cut_off_at_each(one, "up", [("make", name) for _, name in steps])
    assert_converged(one)
    ran = one.piray("pi")
    assert ran.code == 0, ran.said


@pytest.mark.timeout(900)
def test_up_is_killed_while_it_changes_and_replaces(one: Cluster) -> None:
    pods = {pod.uid for pod in one.pods("head")}
    # One host has cores for no more than the one that is there.
    one.workers = 0
    script = one.program.folder / "infra/remote/lib.sh"
    script.write_text(script.read_text() + "# Another text is another input of every Command.\n")
    manifest = one.program.folder / "infra/pi_job/manifest.py"
    manifest.write_text(manifest.read_text().replace("_RETRIES = 4", "_RETRIES = 5"))
    steps = planned(one)
    changed = [("make", name) for operation, name in steps if operation == "update"]
    assert {name for _, name in changed} >= {"pi21-install", "ray-worker"}
    # A preview does not know a cluster whose credentials may change, and calls all that is on it changed.
    changed = [step for step in changed if not step[1].startswith(("ray-", "pi-"))]
    if not one.program.is_real:
        # What takes a moment only may be done when another step of the real engine is cut off.
        changed += [("make", "ray-worker"), ("remove", "pi-job")]
    cut_off_at_each(one, "up", [*changed, ("make", "pi-job")])
    assert_converged(one)
    assert {pod.uid for pod in one.pods("head")} == pods, "what was not changed has been left alone"


@pytest.mark.timeout(900)
def test_a_change_that_was_cut_off_and_taken_back_is_taken_back_on_the_cluster(one: Cluster) -> None:
    one.workers = 1
    run_cut_off(one, "up", Step("during", "make", "ray-worker", 1.0), [])
    one.workers = 0
    assert_converged(one)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("victim", "step"),
    [
        ("pulumi-language-python", "ray-worker"),
        ("pulumi-resource-kubernetes", "ray-worker"),
        ("pulumi-resource-command", "pi21-install"),
    ],
)
def test_up_is_finished_by_the_next_one_after_a_single_program_of_the_engine_has_died(
    one: Cluster, victim: str, step: str
) -> None:
    if not one.program.is_real:
        pytest.skip("the test engine is a single program")
    one.workers = 1 - one.workers
    script = one.program.folder / "infra/remote/lib.sh"
    script.write_text(script.read_text() + f"# Not yet read when {victim} died.\n")
    run_cut_off(one, "up", Step("during", "make", step, 0.3, victim), [])
    assert_converged(one)


@pytest.mark.timeout(900)
def test_down_is_killed_while_it_removes_and_then_up_makes_all_of_it_again(one: Cluster) -> None:
    run_cut_off(one, "down", Step("during", "remove", "ray-namespace", 0.5), [])
    assert_converged(one)


@pytest.mark.timeout(1500)
def test_down_is_killed_while_it_removes_each_of_its_resources(one: Cluster) -> None:
    one.configure()
    names = [name for _, name in one.up().steps]
    cut_off_at_each(one, "down", [("remove", name) for name in reversed(names)])
    down = one.down()
    assert down.code == 0, down.said
    assert one.down().steps == ()
    for host in one.hosts:
        assert host.files() == one.before[host.name]
