"""How Ray nodes are started and stopped on this machine; does not decide which.

All of it listens on the loopback interface only. A node goes on running when whoever started it ends.
"""

import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Collection

from infra.local import processes
from infra.local.dashboard import NODE_LABEL, START_LABEL
from infra.local.processes import Process, find_process
from infra.local.state import Ports, Record, State
from infra.local.wanted import HEAD, LocalRayError, Wanted
from infra.names import ENV_NODE_NAME
from infra.proxies import past_proxies

_LOOPBACK = "127.0.0.1"
# The results of a few jobs fit; the default would be 30 % of the machine's memory for every node.
_OBJECT_STORE_BYTES = 256 * 1024 * 1024
# Part of the name of a folder that each node has for itself.
_ENV_FOLDER = "PIRAY_LOCAL_NODE"

# `ray start` for a Python that has Ray, with two changes.
# Ray replaces 127.0.0.1 by the machine's address on the LAN, and then listens on all interfaces, unless
# RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0; with it `ray start --address` refuses. Only that refusal is lifted
# here (ray/scripts/scripts.py and ray/_private/services.py of 2.60.0). Each node gets a directory of its own
# for the files of jobs: in a common one a node that fetches them deletes those that another one works in.
_RAY = f"""
import os, sys, types
from ray._private import ray_constants
ray_constants.DEFAULT_RUNTIME_ENV_DIR_NAME += "_" + os.environ["{_ENV_FOLDER}"]
from ray.scripts import scripts
scripts.ray_constants = types.SimpleNamespace(**{{**vars(ray_constants), "ENABLE_RAY_CLUSTER": True}})
sys.exit(scripts.main())
"""

# What a job may see of the caller's environment, which may hold a passphrase or a cloud key.
_KEPT = {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TZ", "USER", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
_KEPT |= {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}
_KEPT_PREFIXES = ("PIRAY_", "RAY_AUTH_", "NUMBA_", "OMP_", "OPENBLAS_")


def start(name: str, wanted: Wanted, state: State) -> None:
    """Start a node, put it on record and return at once; it is not yet part of the cluster then.

    Args:
        name: Name of the node.
        wanted: What it is started with.
        state: Its files; the ports of the head are among them.
    """
    label = str(time.time_ns())
    with state.log(name).open("wb") as log:
        # A session of its own: no signal to the caller's group reaches it.
        node = subprocess.Popen(
            [sys.executable, "-c", _RAY, "start", *arguments(name, label, wanted, state)],
            env=environment(name, wanted, state),
            cwd=state.work,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    process = find_process(node.pid) or Process(node.pid, "")
    state.keep(name, Record(process, label, wanted.settings(name)))


def is_running(name: str, state: State) -> bool:
    """Return whether the first process of a node on record still runs."""
    record = state.record(name)
    return record is not None and processes.is_alive(record.process)


def stop(names: Collection[str], state: State) -> None:
    """Stop nodes with all that they have started, and forget them when nothing of them is left.

    Raises:
        LocalRayError: If a process cannot be ended.
    """
    records = [record for name in names if (record := state.record(name))]
    if not processes.stop(record.process for record in records):
        raise LocalRayError(
            "a Ray process cannot be ended",
            "it ignores SIGKILL, so it hangs in the kernel",
            "restart this machine",
        )
    for name in names:
        state.forget(name)


def arguments(name: str, label: str, wanted: Wanted, state: State) -> list[str]:
    """Return the arguments of `ray start`; everybody can read them, so no secret is among them.

    Args:
        name: Name of the node.
        label: Record.start of the node.
        wanted: What it is started with.
        state: Where the ports and the directory of the sockets are.
    """
    ports = state.ports
    common = [
        f"--node-ip-address={_LOOPBACK}",
        "--dashboard-agent-listen-port=0",
        "--min-worker-port=0",
        "--max-worker-port=0",
        f"--num-cpus={wanted.cpus(name)}",
        f"--object-store-memory={_OBJECT_STORE_BYTES}",
        f"--temp-dir={state.temp}",
        "--disable-usage-stats",
        f"--labels={NODE_LABEL}={name},{START_LABEL}={label}",
        "--block",
    ]
    if name != HEAD:
        return [*common, f"--address={_LOOPBACK}:{ports.gcs}"]
    return [
        *common,
        "--head",
        f"--port={ports.gcs}",
        f"--dashboard-host={_LOOPBACK}",
        f"--dashboard-port={ports.dashboard}",
        f"--ray-client-server-port={ports.client}",
    ]


def environment(name: str, wanted: Wanted, state: State) -> dict[str, str]:
    """Return the whole environment of a node, which its jobs inherit; the token is in it."""
    kept = {key: value for key, value in os.environ.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)}
    return {
        **kept,
        **past_proxies(os.environ),
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), kept.get("PATH", os.defpath)]),
        ENV_NODE_NAME: platform.node(),
        _ENV_FOLDER: name,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": wanted.token,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "NUMBA_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NUMBA_CACHE_DIR": str(state.work / "numba"),
    }


def free_ports(preferred: Ports) -> Ports:
    """Return the preferred ports as far as they are free, else any free ones."""
    held = [_bind(port) for port in (preferred.gcs, preferred.dashboard, preferred.client)]
    try:
        return Ports(*(port.getsockname()[1] for port in held))
    finally:
        for port in held:
            port.close()


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((_LOOPBACK, port))
    except OSError:
        bound.bind((_LOOPBACK, 0))
    return bound
