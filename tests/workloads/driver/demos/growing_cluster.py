"""A real Ray with Ray's own autoscaler, whose workers are processes on this machine.

Ray's `AutoscalingCluster` is the model. It is not used, because it begins with `ray stop --force`, which ends
every Ray of the machine.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

from tests.workloads.conftest import Head, end_head, free_ports, wait_for_dashboard

IDLE_MINUTES = 0.1


def config(address: str) -> dict[str, object]:
    """Return what the autoscaler is told: up to one worker, with one CPU."""
    return {
        "cluster_name": "growing",
        "max_workers": 1,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": IDLE_MINUTES,
        "provider": {
            # Not "fake_multinode": Ray's wheel lacks the file that this name needs.
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": address,
            "head_node_id": FAKE_HEAD_NODE_ID,
            "launch_multiple": True,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
            "worker": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 1},
        },
        "head_node_type": "ray.head.default",
        # Nothing is set up on a worker that is a process, but Ray asks for every key.
        **dict.fromkeys(("initialization_commands", "setup_commands", "head_setup_commands"), []),
        **dict.fromkeys(("worker_setup_commands", "head_start_ray_commands"), []),
        **dict.fromkeys(("worker_start_ray_commands", "cluster_synced_files", "rsync_exclude"), []),
        **dict.fromkeys(("file_mounts", "docker", "auth"), {}),
        "file_mounts_sync_continuously": False,
    }


@contextmanager
def growing_cluster(variables: Mapping[str, str]) -> Iterator[str]:
    """Start it, give its address, and end it with all its workers."""
    folder = Path(tempfile.mkdtemp(prefix="prt-", dir="/tmp"))
    port, dashboard, agent, agent_grpc, metrics, client = free_ports(6)
    address = f"127.0.0.1:{port}"
    (folder / "autoscaling.json").write_text(json.dumps(config(address)))
    # The mark is inherited by every process, the workers' included.
    environment = {
        **variables,
        "PIRAY_TEST_MARK": str(folder),
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
    }
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=1"),
            *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--temp-dir={folder}"),
            *(f"--port={port}", f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent}"),
            *(f"--dashboard-agent-grpc-port={agent_grpc}", f"--metrics-export-port={metrics}"),
            *(f"--ray-client-server-port={client}", "--object-store-memory=100000000"),
            f"--autoscaling-config={folder / 'autoscaling.json'}",
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_dashboard(Head(dashboard, variables["RAY_AUTH_TOKEN"], folder, environment, port), process)
        yield address
    finally:
        end_head(process, folder)
