"""The table of a connectivity run."""

import io
from itertools import product

from rich.console import Console

from workloads.cli.runs.connectivity import pairs_table
from workloads.driver.nodes import Node, describe, named
from workloads.runner.follow import DriverReport


def test_four_hosts_with_real_pod_names_fit_80_columns_with_each_name_on_one_line() -> None:
    pods = ["ray-head-6b8f7c9d5-k8s2p", *(f"ray-worker-7d9c5bcb9c-x2x4{letter}" for letter in "vwx")]
    found = [
        Node(node_id=pod, host=f"raspberrypi{index}", pod=pod, name="", cpus=4, is_head=index == 1, facts={})
        for index, pod in enumerate(pods, 1)
    ]
    report = DriverReport(nodes=[describe(node) for node in named(found)])
    names = [node["name"] for node in report.nodes]
    counts = [[first, second, 100] for first, second in product(names, names)]
    report.result = {"counts": counts}
    report.rounds = [{"counts": counts, "wall_s": 1.0}]
    file = io.StringIO()
    Console(file=file, width=80).print(pairs_table("stack home", report))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "100-100" in line]
    assert [row[:2] for row in cells] == [list(pair) for pair in sorted(product(names, names))]
