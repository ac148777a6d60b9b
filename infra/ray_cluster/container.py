"""The container of one Ray node, as a plain dict: how Ray is started and how its health shows."""

from dataclasses import dataclass
from typing import Any

from infra.config.ray import RayConfig, WorkerGroup
from infra.config.room import SPARED_MILLIS
from infra.names import (
    CLIENT_SERVER_PORT,
    DASHBOARD_AGENT_GRPC_PORT,
    DASHBOARD_AGENT_PORT,
    DASHBOARD_PORT,
    GCS_PORT,
    HEAD_SERVICE,
    MAX_WORKER_PORT,
    METRICS_PORT,
    MIN_WORKER_PORT,
    NODE_MANAGER_PORT,
    OBJECT_MANAGER_PORT,
    RUNTIME_ENV_AGENT_PORT,
)
from infra.objects.pods import environment, resources

# The key that KubeRay uses, too. https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-auth.html
TOKEN_KEY = "auth_token"  # noqa: S105 — the name of a key

# A first pull of a 1 GB image and cold imports, both from an SD card; and a worker waits for the head's, too.
START_LIMIT_S = 30 * 60

_ENV_POD_IP = "PIRAY_POD_IP"
_PROBE_PERIOD_S = 5
_MIB = 1024 * 1024
_LOG_BYTES = 16 * _MIB

# What Ray's own processes may take beyond its tasks, so that they are not throttled together.
_HEAD_EXTRA_MILLIS = 1000
_WORKER_EXTRA_MILLIS = 500

# Runs `ray start` in its place, so that signals reach Ray, after two things that may take any time:
# - a worker waits for the head's GCS, since every attempt that fails would count as a restart of the pod;
# - what `ray start` needs is read from the card once, since it gives its raylet 30 s to register and no
#   setting changes that (raylet_start_wait_time_s in ray/_private/node.py of 2.60.0).
_START = """\
import os, pathlib, socket, sys, time
head, command = sys.argv[1], sys.argv[2:]
said = None
while head:
    host, _, port = head.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
        break
    except OSError as error:
        if str(error) != said:
            said = str(error)
            print(f"waiting for the Ray head at {head}: {said}", flush=True)
        time.sleep(2)
try:
    import ray.dashboard.agent
    for name in ("gcs/gcs_server", "raylet/raylet"):
        with open(pathlib.Path(ray.__file__).parent / "core/src/ray" / name, "rb") as file:
            while file.read(1 << 20):
                pass
except (ImportError, OSError) as error:
    print(f"starting Ray from a cold cache: {error}", flush=True)
os.execvp(command[0], command)
"""


@dataclass(frozen=True, kw_only=True)
class HeadStart:
    """How a head that KubeRay runs differs from that of the Deployment.

    Attributes:
        scaled: Whether KubeRay runs Ray's autoscaler beside it, in place of the monitor that the head has.
        client: Whether the client server's port is named, where `kubectl ray session` looks for it.
        serve_port: Port of Ray Serve's proxy; None without Serve.
    """

    scaled: bool = False
    client: bool = False
    serve_port: int | None = None

    @property
    def flags(self) -> list[str]:
        """Flags of `ray start`."""
        return ["--no-monitor"] if self.scaled else []

    @property
    def ports(self) -> dict[str, int]:
        """Ports by their names."""
        client = {"client": CLIENT_SERVER_PORT} if self.client else {}
        return client | _serve_port(self.serve_port)


def head_container(ray: RayConfig, token_secret: Any, start: HeadStart | None = None) -> dict[str, Any]:
    """Return the container of the head.

    Args:
        ray: Image, CPUs and memory.
        token_secret: Name of the Secret that has the token; text or what will become text. None where KubeRay
            puts it there.
        start: How it differs where KubeRay runs it.
    """
    start = start or HeadStart()
    return {
        "name": "ray-head",
        "image": ray.image,
        "command": _start_command(
            "",
            "--head",
            f"--port={GCS_PORT}",
            "--dashboard-host=0.0.0.0",
            f"--dashboard-port={DASHBOARD_PORT}",
            f"--ray-client-server-port={CLIENT_SERVER_PORT}",
            *start.flags,
            cpus=ray.head_cpus,
            memory_mib=ray.head_memory_mib,
        ),
        "env": _environment(token_secret),
        "ports": _ports(gcs=GCS_PORT, dashboard=DASHBOARD_PORT, **start.ports),
        "resources": _resources(ray.head_cpus, _HEAD_EXTRA_MILLIS, ray.head_memory_mib),
        **_probes(readiness=_probe(DASHBOARD_PORT, "/api/gcs_healthz", failures=3)),
    }


def worker_container(
    ray: RayConfig,
    group: WorkerGroup,
    token_secret: Any,
    head: str = f"{HEAD_SERVICE}:{GCS_PORT}",
    serve_port: int | None = None,
) -> dict[str, Any]:
    """Return the container of a worker, which waits for the head and joins it.

    Args:
        ray: Image.
        group: CPUs and memory.
        token_secret: As for head_container.
        head: Where the head's GCS listens.
        serve_port: Port of Ray Serve's proxy, whose pod takes requests only while that answers; None without
            Serve.
    """
    agent = _probe(DASHBOARD_AGENT_PORT, "/api/healthz", failures=3)
    proxy = None if serve_port is None else _probe(serve_port, "/-/healthz", failures=1)
    return {
        "name": "ray-worker",
        "image": ray.image,
        "command": _start_command(head, f"--address={head}", cpus=group.cpus, memory_mib=group.memory_mib),
        "env": _environment(token_secret),
        "ports": _ports(**_serve_port(serve_port)),
        "resources": _resources(group.cpus, _WORKER_EXTRA_MILLIS, group.memory_mib),
        **_probes(readiness=proxy or agent),
    }


def object_store_mib(memory_mib: int) -> int:
    """Return the size of Ray's object store, whose pages count against the pod's memory limit.

    Ray refuses less than 75 MiB.
    """
    return max(96, memory_mib // 8)


def _start_command(head: str, *flags: str, cpus: int, memory_mib: int) -> list[str]:
    return [
        *("python", "-c", _START, head, "ray", "start", *flags),
        f"--node-ip-address=$({_ENV_POD_IP})",
        f"--num-cpus={cpus}",
        f"--object-store-memory={object_store_mib(memory_mib) * _MIB}",
        f"--node-manager-port={NODE_MANAGER_PORT}",
        f"--object-manager-port={OBJECT_MANAGER_PORT}",
        f"--runtime-env-agent-port={RUNTIME_ENV_AGENT_PORT}",
        f"--dashboard-agent-listen-port={DASHBOARD_AGENT_PORT}",
        f"--dashboard-agent-grpc-port={DASHBOARD_AGENT_GRPC_PORT}",
        f"--metrics-export-port={METRICS_PORT}",
        f"--min-worker-port={MIN_WORKER_PORT}",
        f"--max-worker-port={MAX_WORKER_PORT}",
        *("--disable-usage-stats", "--block"),
    ]


def _environment(token_secret: Any) -> list[dict[str, Any]]:
    return [
        {"name": _ENV_POD_IP, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        *([] if token_secret is None else [{"name": "RAY_AUTH_TOKEN", "valueFrom": _token(token_secret)}]),
        *environment(
            {
                "RAY_AUTH_MODE": "token",
                # Python processes start slowly from an SD card; the default is 60 s.
                "RAY_worker_register_timeout_seconds": "300",
                # Each of some twenty log files may otherwise grow to 512 MB, six times.
                "RAY_ROTATION_MAX_BYTES": str(_LOG_BYTES),
                "RAY_ROTATION_BACKUP_COUNT": "1",
            }
        ),
    ]


def _token(secret: Any) -> dict[str, Any]:
    return {"secretKeyRef": {"name": secret, "key": TOKEN_KEY}}


def _serve_port(port: int | None) -> dict[str, int]:
    # KubeRay looks for this name.
    return {} if port is None else {"serve": port}


def _ports(**more: int) -> list[dict[str, Any]]:
    ports = {"agent": DASHBOARD_AGENT_PORT, "metrics": METRICS_PORT, **more}
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]


def _probe(port: int, path: str, *, failures: int) -> dict[str, Any]:
    """Return an HTTP probe of a path that answers without the token.

    Tried on Ray 2.60.0: /api/healthz and /api/local_raylet_healthz of the agent do, and /api/gcs_healthz of
    the dashboard, where the other two do not exist.
    """
    return {
        "httpGet": {"port": port, "path": path},
        "periodSeconds": _PROBE_PERIOD_S,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _probes(readiness: dict[str, Any]) -> dict[str, dict[str, Any]]:
    agent = ("/api/healthz", DASHBOARD_AGENT_PORT)
    return {
        "startupProbe": _probe(agent[1], agent[0], failures=START_LIMIT_S // _PROBE_PERIOD_S),
        "readinessProbe": readiness,
        # `ray start --block` lives on when its raylet ends in order, as it does once the cluster dropped it.
        "livenessProbe": _probe(agent[1], agent[0], failures=12),
    }


def _resources(cpus: int, extra_millis: int, memory_mib: int) -> dict[str, dict[str, str]]:
    millis = 1000 * cpus
    return resources(millis - SPARED_MILLIS, millis + extra_millis, memory_mib)
