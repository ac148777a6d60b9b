"""What the manifests promise: who may connect to whom, what a pod may do, what a change touches."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra import names
from infra.config.model import StackConfig
from infra.config.parse import parse
from infra.pi_job import manifest
from infra.ray_cluster import deployments
from infra.ray_cluster.network_policies import ipv4_endpoint, network_policies
from tests.connections import (
    ALWAYS_CLOSED,
    ALWAYS_OPEN,
    DNS,
    HEAD,
    INTERNET,
    WORKER,
    Place,
    may_connect,
    selects,
)

ROOT = Path(__file__).resolve().parents[3]


def stack(ray: Mapping[str, object] | None = None, **values: object) -> StackConfig:
    hosts = [{"name": "pi1", "address": "198.51.100.11", "role": "server"}]
    return parse(
        {
            "platform": "pi",
            "hosts": hosts,
            "ssh": {"user": "pi"},
            "insecureHostKeys": True,
            "ray": dict(ray or {}),
            **values,
        }
    )


def head(config: StackConfig) -> dict[str, Any]:
    return deployments.head_deployment(config.ray, config.arch, "ray", "token")


def worker(config: StackConfig) -> dict[str, Any]:
    return deployments.worker_deployment(config.ray, config.ray.groups[0], config.arch, "ray", "token")


def pods(config: StackConfig) -> dict[str, dict[str, Any]]:
    """Return every pod template of the program: metadata and spec."""
    job = manifest.pi_job(config.pi_job, config.ray.image, config.arch, "ray", "script")
    made = {"head": head(config), "worker": worker(config), "pi": job}
    return {name: one["spec"]["template"] for name, one in made.items()}


def container(pod: Mapping[str, Any]) -> dict[str, Any]:
    (only,) = pod["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def policies(packages: list[str], wheels_url: str | None = None) -> list[dict[str, Any]]:
    """Return the spec of every policy of a stack whose jobs install these packages."""
    found = network_policies(stack({"runtimePackages": packages}).ray.runtime_packages, "ray", wheels_url)
    return [policy["spec"] for policy in found.values()]


POD_NAMES = ["head", "worker", "pi"]
RAY_PODS = ["head", "worker"]


@pytest.mark.parametrize("packages", [["numba==0.68.1"], []])
@pytest.mark.parametrize("connection", ALWAYS_OPEN.values(), ids=ALWAYS_OPEN)
def test_what_ray_needs_is_open(connection: tuple[Place, Place, int], packages: list[str]) -> None:
    assert may_connect(policies(packages), *connection)


@pytest.mark.parametrize("packages", [["numba==0.68.1"], []])
@pytest.mark.parametrize("connection", ALWAYS_CLOSED.values(), ids=ALWAYS_CLOSED)
def test_all_else_is_closed(connection: tuple[Place, Place, int], packages: list[str]) -> None:
    assert not may_connect(policies(packages), *connection)


def test_names_are_resolved_over_udp() -> None:
    assert may_connect(policies([]), HEAD, DNS, 53, "UDP")


@pytest.mark.parametrize("pod", [HEAD, WORKER])
def test_jobs_reach_the_internet_only_where_they_install_packages(pod: Place) -> None:
    assert may_connect(policies(["numba==0.68.1"]), pod, INTERNET, 443)
    assert not may_connect(policies([]), pod, INTERNET, 443)


@pytest.mark.parametrize("pod", [HEAD, WORKER])
def test_jobs_reach_a_mirror_of_wheels_at_its_own_port_and_no_neighbour_of_it(pod: Place) -> None:
    walls = policies(["numba==0.68.1"], "http://192.168.1.10:8000/wheels/")
    mirror, neighbour = Place(address="192.168.1.10"), Place(address="192.168.1.11")
    assert may_connect(walls, pod, mirror, 8000)
    assert not may_connect(walls, pod, mirror, 22)
    assert not may_connect(walls, pod, neighbour, 8000)
    assert not may_connect(policies(["numba==0.68.1"]), pod, mirror, 8000)
    assert not may_connect(policies([], "http://192.168.1.10:8000/wheels/"), pod, mirror, 8000)


@pytest.mark.parametrize("connection", ALWAYS_CLOSED.values(), ids=ALWAYS_CLOSED)
def test_a_mirror_opens_nothing_else(connection: tuple[Place, Place, int]) -> None:
    assert not may_connect(policies(["numba==0.68.1"], "http://192.168.1.10:8000/wheels/"), *connection)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://192.0.2.10/k3s", ("192.0.2.10", 80)),
        ("https://192.0.2.10/k3s", ("192.0.2.10", 443)),
        ("http://mirror.example:8000", None),
        ("http://[2001:db8::1]:8000", None),
        ("", None),
    ],
)
def test_a_policy_can_open_the_way_to_an_ipv4_address_only(
    url: str, endpoint: tuple[str, int] | None
) -> None:
    assert ipv4_endpoint(url) == endpoint


@pytest.mark.parametrize("name", POD_NAMES)
def test_a_pod_fits_the_restricted_standard(name: str) -> None:
    """The rules of https://kubernetes.io/docs/concepts/security/pod-security-standards/, one by one."""
    spec = pods(stack())[name]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] != 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"}
    allowed |= {"projected", "secret"}
    assert all(set(volume) - {"name"} <= allowed for volume in spec["volumes"])
    assert "ephemeralContainers" not in spec
    for one in [*spec.get("initContainers", []), *spec["containers"]]:
        security = one["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert "privileged" not in security
        assert all("hostPort" not in port for port in one.get("ports", []))


def test_the_namespace_enforces_the_restricted_standard() -> None:
    labels = deployments.namespace(stack(namespace="maths").namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert re.fullmatch(r"v1\.\d+", labels["pod-security.kubernetes.io/enforce-version"])


@pytest.mark.parametrize("name", POD_NAMES)
def test_a_pod_has_no_way_to_the_kubernetes_api_and_writes_only_to_its_own_volumes(name: str) -> None:
    spec = pods(stack())[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    only = container(pods(stack())[name])
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in only["volumeMounts"]:
        volume = volumes[mount["name"]]
        assert mount.get("readOnly") or volume["emptyDir"]["sizeLimit"], mount
    paths = {mount["mountPath"] for mount in only["volumeMounts"]}
    environment = {entry["name"]: entry.get("value") for entry in only["env"]}
    assert {environment["HOME"], "/tmp"} <= paths


@pytest.mark.parametrize("name", POD_NAMES)
def test_a_container_has_requests_and_limits_and_all_its_memory_for_sure(name: str) -> None:
    resources = container(pods(stack())[name])["resources"]
    for kind in ("requests", "limits"):
        assert set(resources[kind]) == {"cpu", "memory"}
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    millis = {kind: int(resources[kind]["cpu"].removesuffix("m")) for kind in resources}
    assert 0 < millis["requests"] <= millis["limits"]


def test_a_head_a_worker_a_pi_pod_and_the_system_fit_on_one_pi_with_four_cpus() -> None:
    asked = [container(pods(stack())[name])["resources"]["requests"]["cpu"] for name in POD_NAMES]
    assert sum(int(cpu.removesuffix("m")) for cpu in asked) <= 4000 - 300


@pytest.mark.parametrize("name", RAY_PODS)
@pytest.mark.parametrize("memory", [1024, 1536, 3072])
def test_the_object_store_fits_into_dev_shm_and_the_memory_limit(name: str, memory: int) -> None:
    pod = pods(stack({"headMemoryMib": memory, "workerMemoryMib": memory}))[name]
    (shm,) = [volume["emptyDir"] for volume in pod["spec"]["volumes"] if volume["name"] == "shm"]
    assert shm["medium"] == "Memory"
    assert {"name": "shm", "mountPath": "/dev/shm"} in container(pod)["volumeMounts"]
    store = int(flag(pod, "--object-store-memory"))
    size = int(shm["sizeLimit"].removesuffix("Mi")) * 2**20
    assert 75 * 2**20 <= store < size < memory * 2**20 / 4


def flag(pod: Mapping[str, Any], name: str) -> str:
    (value,) = [text.split("=", 1)[1] for text in container(pod)["command"] if text.startswith(f"{name}=")]
    return str(value)


@pytest.mark.parametrize("name", RAY_PODS)
def test_ray_is_told_its_address_cpus_and_every_port(name: str) -> None:
    pod = pods(stack({"headCpus": 2, "workerCpus": 3}))[name]
    assert flag(pod, "--num-cpus") == {"head": "2", "worker": "3"}[name]
    variable = flag(pod, "--node-ip-address").strip("$()")
    (entry,) = [entry for entry in container(pod)["env"] if entry["name"] == variable]
    assert entry["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert flag(pod, "--node-manager-port") == str(names.NODE_MANAGER_PORT)
    assert flag(pod, "--object-manager-port") == str(names.OBJECT_MANAGER_PORT)
    assert flag(pod, "--runtime-env-agent-port") == str(names.RUNTIME_ENV_AGENT_PORT)
    assert flag(pod, "--dashboard-agent-listen-port") == str(names.DASHBOARD_AGENT_PORT)
    assert flag(pod, "--dashboard-agent-grpc-port") == str(names.DASHBOARD_AGENT_GRPC_PORT)
    assert flag(pod, "--metrics-export-port") == str(names.METRICS_PORT)
    assert {"--disable-usage-stats", "--block"} <= set(container(pod)["command"])


@pytest.mark.parametrize("name", RAY_PODS)
def test_every_ray_process_asks_for_the_token_and_no_manifest_holds_it(name: str) -> None:
    environment = {entry["name"]: entry for entry in container(pods(stack())[name])["env"]}
    assert environment["RAY_AUTH_MODE"]["value"] == "token"
    assert environment["RAY_AUTH_TOKEN"]["valueFrom"] == {
        "secretKeyRef": {"name": "token", "key": "auth_token"}
    }


@pytest.mark.parametrize("name", RAY_PODS)
def test_a_slow_start_is_borne_for_half_an_hour_and_a_hang_for_a_minute(name: str) -> None:
    only = container(pods(stack())[name])
    patience = {
        probe: only[probe]["periodSeconds"] * only[probe]["failureThreshold"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert patience["startupProbe"] >= 1800
    assert 30 <= patience["livenessProbe"] <= 120
    assert patience["readinessProbe"] <= 30
    deployment = worker(stack())["spec"]
    assert deployment["progressDeadlineSeconds"] > patience["startupProbe"]


@pytest.mark.parametrize("name", POD_NAMES)
def test_pods_are_named_by_host_and_pod_and_run_where_their_image_does(name: str) -> None:
    pod = pods(stack(arch="amd64"))[name]
    environment = {entry["name"]: entry for entry in container(pod)["env"]}
    assert environment[names.ENV_NODE_NAME]["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName"
    assert environment[names.ENV_POD_NAME]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/arch": "amd64"}
    assert container(pod)["image"] == "rayproject/ray:2.60.0-py311"


def test_another_number_of_workers_touches_the_replicas_and_nothing_else() -> None:
    few, many = stack(workers=1), stack(workers=4)
    assert head(few) == head(many)
    before, after = (worker(config) for config in (few, many))
    assert (before["spec"].pop("replicas"), after["spec"].pop("replicas")) == (1, 4)
    assert before == after


def test_a_rollout_never_needs_the_memory_of_two_sets_of_pods() -> None:
    assert head(stack())["spec"]["strategy"] == {"type": "Recreate"}
    rolling = worker(stack())["spec"]["strategy"]["rollingUpdate"]
    assert rolling["maxSurge"] == 0


def test_workers_avoid_each_other_more_than_the_control_plane() -> None:
    """Seen on kube-scheduler 1.36: with the spread alone, a free server was passed over for a full agent."""
    pod = pods(stack())["worker"]
    (wish,) = pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert wish["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert selects(wish["podAffinityTerm"]["labelSelector"], pod["metadata"]["labels"])


@pytest.mark.parametrize("name", ["worker", "pi"])
def test_pods_of_one_kind_land_on_different_hosts(name: str) -> None:
    pod = pods(stack())[name]
    (constraint,) = pod["spec"]["topologySpreadConstraints"]
    assert constraint["topologyKey"] == "kubernetes.io/hostname"
    assert constraint["maxSkew"] == 1
    assert selects(constraint["labelSelector"], pod["metadata"]["labels"])


def test_the_service_finds_the_head_and_opens_no_port_of_a_host() -> None:
    service = deployments.head_service("ray")["spec"]
    everything = pods(stack())
    assert selects({"matchLabels": service["selector"]}, everything["head"]["metadata"]["labels"])
    for other in ("worker", "pi"):
        assert not selects({"matchLabels": service["selector"]}, everything[other]["metadata"]["labels"])
    assert service["type"] == "ClusterIP"
    assert service["clusterIP"] == "None"


def test_deployments_select_their_own_pods_only() -> None:
    for name, build in {"head": head, "worker": worker}.items():
        selector = build(stack())["spec"]["selector"]
        chosen = [
            other for other, pod in pods(stack()).items() if selects(selector, pod["metadata"]["labels"])
        ]
        assert chosen == [name]


def test_every_manifest_is_json() -> None:
    config = stack()
    walls = network_policies(config.ray.runtime_packages, "ray")
    everything = [pods(config), walls, deployments.namespace(config.namespace)]
    assert json.loads(json.dumps(everything)) == everything


def start_program(name: str) -> list[str]:
    """Return the call in a pod's command up to what it starts, with this interpreter."""
    python, dash_c, program, head, *_ = container(pods(stack())[name])["command"]
    assert (python, dash_c) == ("python", "-c")
    return [sys.executable, "-c", program, head]


def test_the_head_starts_at_once_and_becomes_the_program_it_starts() -> None:
    call = [*start_program("head"), sys.executable, "-c", "import os; print(os.getpid())"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        output, _ = process.communicate(timeout=60)
        assert output.split()[-1] == str(process.pid)


def test_a_worker_waits_for_the_head_and_then_becomes_the_program_it_starts() -> None:
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        call = start_program("worker")[:-1]
        call += [f"127.0.0.1:{port.getsockname()[1]}", sys.executable, "-c", "print('joined')"]
        with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                assert "waiting for the Ray head" in process.stdout.readline()
                assert process.poll() is None
                port.listen()
                assert process.communicate(timeout=60)[0].split()[-1] == "joined"
            finally:
                process.kill()


def locked(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", path.read_text(), re.MULTILINE))


def test_the_image_has_the_versions_that_this_machine_has() -> None:
    ours, image = locked(ROOT / "requirements.lock"), locked(ROOT / "images/ray/requirements.lock")
    assert {"ray", "numba", "numpy"} <= set(image)
    assert {name: ours.get(name) for name in image} == image


def test_every_wheel_of_the_image_is_pinned_by_its_hash() -> None:
    text = (ROOT / "images/ray/requirements.lock").read_text()
    entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
