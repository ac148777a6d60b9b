"""Ray by the real KubeRay operator, on the cluster of the scenarios before; in the end it is as it was."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from rich.console import Console

from infra import names
from sandbox.images.registry import IMAGE
from sandbox.machine.progress import Progress
from sandbox.stack import STACK
from tests import wheel
from tests.checkout import Deployed
from tests.drawing import options
from tests.e2e.cluster import Cluster, Pod, wait_until, whole
from tests.e2e.ray_state import ask
from workloads.mandelbrot.plan import Plan
from workloads.runner.port_forward import forward

# Of the slower kind: what is awaited here starts Ray, on two cores that others need as well.
PATIENCE_S = 300
IDLE_S = 10
SHARE = {"cpus": 1, "memoryMib": 1536}
NEAR_HOSTS = ("pi1", "pi2")
SMALL = Plan(x_grids=4, y_grids=4, grid_width=20, grid_height=20, max_iterations=100)

GOOD = "import ray; ray.init(); print(ray.get(ray.put(1)))"
BAD = "raise SystemExit('no primes today')"
LATE = "import time; time.sleep(3600)"


def groups(near: int) -> list[dict[str, Any]]:
    """Return one group for two of the hosts, and one that comes when tasks wait."""
    fixed = {"replicas": near, "minReplicas": near, "maxReplicas": near, "hosts": list(NEAR_HOSTS)}
    elastic = {"replicas": 0, "minReplicas": 0, "maxReplicas": 1}
    return [{"name": "near", **SHARE, **fixed}, {"name": "elastic", **SHARE, **elastic}]


def job(name: str, program: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, "entrypoint": f'python -c "{program}"', **keys}


# Ray takes archives by https:// alone; pip takes a wheel from the mirror.
HELLO = """
from ray import serve


@serve.deployment
class Hello:
    def __call__(self, request):
        return "hello from Serve"


app = Hello.bind()
"""


def service(mirror: str) -> dict[str, Any]:
    pip = {"packages": [f"{mirror}/wheels/{wheel.FILE}"], "pip_install_options": ["--no-index"]}
    return {"name": "hello", "importPath": f"{wheel.MODULE}:app", "runtimeEnv": {"pip": pip}}


JOBS = [job("good", GOOD), job("bad", BAD), job("late", LATE, deadlineS=20)]


@pytest.fixture(scope="module")
def services(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """Return every host's k3s as it was before."""
    return cluster.services()


@pytest.fixture(scope="module")
def changed(cluster: Cluster, services: object) -> Iterator[tuple[Deployed, Deployed]]:
    """Yield the preview of the change to KubeRay mode, and the change; in the end change the mode back."""
    cluster.site.add_kuberay(Progress(Console(stderr=True)))
    before = cluster.workers
    mirror = cluster.site.sources().mirror
    assert mirror, "with k3s's real releases there is no mirror that the service's program could come from"
    wheels = cluster.site.mirror_folder / "wheels"
    wheels.mkdir(exist_ok=True)
    wheel.write_wheel(wheels, HELLO)
    # Opens the way to the mirror.
    cluster.runtime_packages = (wheel.PACKAGE,)
    cluster.ray = {
        "mode": "kuberay",
        "groups": groups(near=1),
        "idleTimeoutS": IDLE_S,
        "jobs": JOBS,
        "services": [service(mirror)],
        "operator": {"featureGates": {"RayCronJob": True}},
    }
    cluster.workers = 1
    try:
        planned, up = cluster.preview(), cluster.up()
        yield planned, up
    finally:
        cluster.ray, cluster.workers, cluster.runtime_packages = {}, before, ()
        back = cluster.up()
    assert back.code == 0, back.said
    wait_until(lambda: whole(cluster), PATIENCE_S)


@pytest.fixture
def kuberay(cluster: Cluster, changed: tuple[Deployed, Deployed]) -> Cluster:
    """Return the cluster in KubeRay mode, with one worker."""
    _, up = changed
    assert up.code == 0, up.said
    return cluster


def of_group(cluster: Cluster, group: str) -> list[Pod]:
    return [Pod.of(item) for item in cluster.items("pods", f"--selector={names.LABEL_RAY_GROUP}={group}")]


def results_of(cron_job: str, cluster: Cluster) -> set[str]:
    """Return how the RayJobs that a RayCronJob has made have ended so far."""
    made = [item for item in cluster.items("rayjobs") if item["metadata"]["name"].startswith(f"{cron_job}-")]
    return {item.get("status", {}).get("jobStatus", "") for item in made}


def operator(cluster: Cluster) -> Pod:
    (pod,) = cluster.items("pods", f"--namespace={names.KUBERAY_NAMESPACE}")
    return Pod.of(pod)


def operator_name(cluster: Cluster) -> str:
    (found,) = cluster.items("deployments", f"--namespace={names.KUBERAY_NAMESPACE}")
    return str(found["metadata"]["name"])


def kill(cluster: Cluster, pod: str, namespace: str = "ray") -> None:
    cluster.kubectl(
        "delete", "pod", pod, f"--namespace={namespace}", "--grace-period=0", "--force", "--wait=false"
    )


def whole_without(cluster: Cluster, gone: Sequence[Pod]) -> bool:
    """Say whether all pods are there and ready, and these are not among them."""
    return whole(cluster) and not {pod.uid for pod in gone} & {pod.uid for pod in cluster.pods()}


def cluster_is_unchanged(cluster: Cluster) -> bool:
    again = cluster.preview()
    return again.code == 0 and again.changes == set()


def test_the_preview_knew_the_change_though_the_cluster_did_not_know_the_kinds(
    services: dict[str, tuple[str, str]], changed: tuple[Deployed, Deployed], kuberay: Cluster
) -> None:
    planned, up = changed
    assert planned.code == 0, planned.said
    # It cannot know that installs, which get the operator's image from a mirror, say the same again, nor
    # therefore what is on the cluster that they make.
    unknown = {operation for operation, _ in planned.changes - up.changes}
    assert unknown == {"update"}
    assert ("update", "ray-namespace") in planned.changes
    assert up.changes <= planned.changes
    assert up.names("delete") == {"ray-auth", "ray-head", "ray-worker"}
    installs = {f"{host.name}-install" for host in kuberay.hosts}
    assert up.names("update") == {"ray-mode", *installs}
    assert kuberay.services() == services, "no k3s was restarted"
    assert cluster_is_unchanged(kuberay)


def test_workers_are_where_their_group_says(kuberay: Cluster) -> None:
    (pod,) = of_group(kuberay, "near")
    assert pod.ready
    assert pod.node in NEAR_HOSTS
    assert of_group(kuberay, "elastic") == []


def test_what_became_of_each_job_is_an_output(changed: tuple[Deployed, Deployed], kuberay: Cluster) -> None:
    jobs = kuberay.outputs["jobs"]
    assert {name: one["status"] for name, one in jobs.items()} == {
        "good": "SUCCEEDED",
        "bad": "FAILED",
        "late": "FAILED",
    }
    assert "no primes today" in jobs["bad"]["message"]
    assert jobs["late"]["reason"] == "DeadlineExceeded"
    _, up = changed
    assert "RayJob bad has failed" in up.said


def test_a_service_answers_through_the_port_forward(kuberay: Cluster) -> None:
    outputs, there = kuberay.outputs, kuberay.outputs["services"]["hello"]
    with forward(outputs["kubeconfig"], outputs["namespace"], there["service"], there["port"]) as port:
        assert ask(f"http://127.0.0.1:{port}{there['route']}") == (200, "hello from Serve")


def test_a_picture_is_drawn_on_it(kuberay: Cluster) -> None:
    ended = kuberay.piray("mandelbrot", *options(SMALL, repeats=1))
    assert ended.code == 0, ended.said


def test_a_worker_comes_when_tasks_wait_and_goes_when_it_is_idle(kuberay: Cluster) -> None:
    ended = kuberay.program.piray("demo", "autoscaling", "--stack", STACK)
    assert ended.code == 0, ended.said
    assert "The autoscaler has asked for a worker." in ended.stdout
    wait_until(lambda: of_group(kuberay, "elastic") == [], PATIENCE_S)


def test_another_number_of_workers_touches_no_pod_that_stays(kuberay: Cluster) -> None:
    before = kuberay.pods()
    kuberay.ray["groups"] = groups(near=2)
    kuberay.workers = 2
    up = kuberay.up()
    assert up.code == 0, up.said
    assert up.changes == {("update", "ray-cluster"), ("update", "ray-cluster-ready")}
    after = kuberay.pods()
    assert set(before) < set(after)
    assert {pod.node for pod in of_group(kuberay, "near")} <= set(NEAR_HOSTS)
    assert len(of_group(kuberay, "near")) == 2


def test_a_changed_job_runs_anew_and_one_on_a_schedule_when_it_is_time(kuberay: Cluster) -> None:
    kuberay.ray["jobs"] = [job("good", BAD), *JOBS[1:]]
    kuberay.ray["cronJobs"] = [job("tick", GOOD, schedule="* * * * *")]
    up = kuberay.up()
    assert up.code == 0, up.said
    assert "ray-job-good" in up.names("replace")
    assert not {name for name in up.names("replace") if name.startswith(("ray-job-bad", "ray-job-late"))}
    assert kuberay.outputs["jobs"]["good"]["status"] == "FAILED"
    wait_until(lambda: "SUCCEEDED" in results_of("tick", kuberay), PATIENCE_S)


def test_a_worker_that_is_lost_while_the_operator_is_away_comes_when_it_is_back(kuberay: Cluster) -> None:
    first, worker = operator(kuberay), kuberay.pods("worker")[0]
    kill(kuberay, first.name, names.KUBERAY_NAMESPACE)
    kill(kuberay, worker.name)
    wait_until(lambda: whole_without(kuberay, [worker]), PATIENCE_S)
    assert operator(kuberay).uid != first.uid


def test_a_head_that_is_killed_is_there_again_with_its_workers(kuberay: Cluster) -> None:
    (head,) = kuberay.pods("head")
    kill(kuberay, head.name)
    wait_until(lambda: whole_without(kuberay, [head]), PATIENCE_S)
    ended = kuberay.piray("connectivity")
    assert ended.code == 0, ended.said


def test_another_image_replaces_every_pod_of_the_groups(kuberay: Cluster) -> None:
    before = kuberay.pods()
    listed = kuberay.server.as_root(f"k3s ctr --namespace k8s.io images list name=={IMAGE}")
    (digest,) = re.findall(r"sha256:[0-9a-f]{64}", listed)
    kuberay.ray["image"] = f"{IMAGE.rpartition(':')[0]}@{digest}"
    up = kuberay.up()
    assert up.code == 0, up.said
    wait_until(lambda: whole_without(kuberay, before), PATIENCE_S)
    pods = kuberay.items("pods", f"--selector={names.LABEL_RAY_CLUSTER}")
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {kuberay.ray["image"]}
    ended = kuberay.piray("connectivity")
    assert ended.code == 0, ended.said


def test_the_change_back_leaves_nothing_though_the_operator_has_died(kuberay: Cluster) -> None:
    deployment = f"deployment/{operator_name(kuberay)}"
    kuberay.kubectl("scale", deployment, f"--namespace={names.KUBERAY_NAMESPACE}", "--replicas=0")
    assert '"ray.io/' in kuberay.kubectl("get", "rayjobs", "--namespace=ray", "--output=json")
    kuberay.ray = {"groups": [{"name": name, "replicas": 1, **SHARE, "hosts": [name]} for name in NEAR_HOSTS]}
    up = kuberay.up()
    assert up.code == 0, up.said
    assert "ray.io" not in kuberay.kubectl("get", "crds")
    assert names.KUBERAY_NAMESPACE not in kuberay.kubectl("get", "namespaces")
    assert kuberay.items("pods", f"--selector={names.LABEL_RAY_CLUSTER}") == []
    wait_until(lambda: whole(kuberay), PATIENCE_S)
    assert cluster_is_unchanged(kuberay)


def test_without_the_operator_too_each_group_is_where_it_says(kuberay: Cluster) -> None:
    assert [[pod.node for pod in of_group(kuberay, name)] for name in NEAR_HOSTS] == [
        [name] for name in NEAR_HOSTS
    ]
    assert {name: group["cpus"] for name, group in kuberay.outputs["groups"].items()} == dict.fromkeys(
        NEAR_HOSTS, 1
    )
    ended = kuberay.piray("connectivity")
    assert ended.code == 0, ended.said
