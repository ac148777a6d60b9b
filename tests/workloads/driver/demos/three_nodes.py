"""A real Ray of three nodes on this machine: `python three_nodes.py`; its address is the only line it prints.

A program of its own, because Ray reads its authentication settings when it is first imported. It ends
when its standard input does.
"""

import sys
import tempfile
from pathlib import Path

from ray.cluster_utils import Cluster

CPUS_OF_A_NODE = 2


def main(temp_dir: str) -> None:
    # Ray's test cluster leaves its address there, and only a Ray without a folder of its own makes it.
    Path("/tmp/ray").mkdir(exist_ok=True)
    head = {
        "num_cpus": CPUS_OF_A_NODE,
        "temp_dir": temp_dir,
        "include_dashboard": True,
        # Any port that is free.
        "dashboard_port": 0,
    }
    started = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            started.add_node(num_cpus=CPUS_OF_A_NODE)
        print(started.address, flush=True)
        sys.stdin.read()
    finally:
        started.shutdown()  # type: ignore[no-untyped-call]  # Ray has no types for it


if __name__ == "__main__":
    # Not where TMPDIR says: the paths of Ray's sockets would be too long.
    with tempfile.TemporaryDirectory(prefix="prt-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        main(folder)
