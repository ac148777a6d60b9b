"""The three workloads through port-forward, token and Jobs API, and what they leave in Ray's own records."""

import json

from sandbox.stack import STACK
from tests.drawing import options, picture
from tests.e2e.cluster import Cluster
from tests.e2e.ray_state import computed_bands
from workloads.mandelbrot.plan import Plan

PLAN = Plan(x_grids=8, y_grids=8, grid_width=60, grid_height=60, max_iterations=20_000)


def test_mandelbrot_draws_the_picture_of_a_single_process_and_works_on_every_worker(cluster: Cluster) -> None:
    ended = cluster.piray("mandelbrot", *options(PLAN, repeats=1))
    assert ended.code == 0, ended.said
    drawn = (cluster.program.folder / "mandelbrot.png").read_bytes()
    assert drawn == picture(PLAN)
    result = json.loads((cluster.program.folder / "mandelbrot.json").read_text())
    assert [row["workers"] for row in result["rows"]] == list(range(cluster.workers + 1))
    assert set(computed_bands(cluster)) == {
        pod.node for pod in [*cluster.pods("worker"), *cluster.pods("head")]
    }


def test_a_sweep_measures_every_number_of_workers_without_a_change_of_the_cluster(cluster: Cluster) -> None:
    before = {pod.name for pod in cluster.pods()}
    ended = cluster.program.piray("sweep", "--stack", STACK, "--seconds", "0.05", "--repeats", "2")
    assert ended.code == 0, ended.said
    result = json.loads((cluster.program.folder / "sweep.json").read_text())
    for problem in result["problems"]:
        assert [row["workers"] for row in problem["rows"]] == list(range(cluster.workers + 1))
        assert [row["cores"] for row in problem["rows"]] == [
            [1] * (row["workers"] + 1) for row in problem["rows"]
        ]
        assert all(row["simulated_s"] > 0 for row in problem["rows"])
    assert result["costs"]["latency_s"] > 0
    assert result["costs"]["link_bytes_s"] > 0
    assert {pod.name for pod in cluster.pods()} == before


def test_pi_reads_the_job_and_counts_again_on_the_cluster(cluster: Cluster) -> None:
    ended = cluster.piray("pi")
    assert ended.code == 0, ended.said
    result = json.loads((cluster.program.folder / "pi.json").read_text())
    assert result["deviation"] < 4
    assert {part["pod"] for part in result["parts"]} == {pod.name for pod in cluster.pods("job")}


def test_connectivity_sees_every_node_talk_to_every_other(cluster: Cluster) -> None:
    ended = cluster.piray("connectivity", "--rounds", "3")
    assert ended.code == 0, ended.said
    assert "Success!" in ended.stdout
    result = json.loads((cluster.program.folder / "connectivity.json").read_text())
    assert len(result["nodes"]) == cluster.workers + 1


def test_short_tasks_are_counted_for_each_host(cluster: Cluster) -> None:
    ended = cluster.piray("nodes")
    assert ended.code == 0, ended.said
    result = json.loads((cluster.program.folder / "nodes.json").read_text())
    counts = dict(result["counts"])
    assert sum(counts.values()) == result["tasks"] == 1000
    assert set(counts) == {pod.node for pod in [*cluster.pods("worker"), *cluster.pods("head")]}
    assert result["cpus"] == cluster.workers + 1
