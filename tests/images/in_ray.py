"""What a head and a worker of an image compute, as one line of JSON; run by them."""

import json
import platform
import sys
from typing import Any

import ray
from ray._private import services

sys.path.insert(0, "/tmp")


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def count(stream: int) -> list[Any]:
    sys.path.insert(0, "/tmp")
    from workloads.pi.kernel import count_inside  # noqa: PLC0415  # by a process of Ray's own

    return [platform.machine(), count_inside(100_001, 5, stream)]


if __name__ == "__main__":
    # Ray looks for raylets among all processes, where an emulated one has the name of the emulator.
    services.find_node_ids = lambda: set(sys.argv[1:])
    ray.init(address="auto", log_to_driver=False)
    nodes = sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]
    print(json.dumps([nodes, ray.get([count.remote(stream) for stream in range(6)])]))
