"""Each command says which Pis were slowed down, whoever computed."""

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from workloads.cli.app import main
from workloads.cli.options import Place
from workloads.pi.kernel import count_inside
from workloads.protocol.events import Event, encode
from workloads.results import sweep_tables
from workloads.results.pi_records import PiPart
from workloads.runner import pi_job
from workloads.runner.follow import DriverReport
from workloads.runner.stack_outputs import StackOutputs, parse

OUTPUTS: dict[str, Any] = {
    "contractVersion": 1,
    "platform": "pi",
    "rayVersion": "2.60.0",
    "rayToken": "token",
    "workers": 1,
    "kubeconfig": "kubeconfig",
    "namespace": "ray",
    "headService": "ray-head",
    "dashboardPort": 8265,
    "piJob": {"name": "pi", "completions": 1, "parallelism": 1, "samples": 1000, "seed": 0},
    "hosts": {"pi1": {"model": "Raspberry Pi 4", "throttled": ["under-voltage"]}},
}
MACHINE = {"model": None, "throttled": None, "temperature_c": None}
NODE = {"name": "pi1", "host": "pi1", "pod": "ray-head-1", "cpus": 1, "is_head": True, "machine": MACHINE}


@dataclass
class Told:
    """A target whose driver tells these events."""

    outputs: StackOutputs
    events: tuple[Event, ...]
    name = "stack home"

    def run(self, _spec: object) -> Generator[str]:
        yield from (f"{encode(event)}\n" for event in self.events)

    def node_facts(self, report: DriverReport) -> tuple[dict[str, Any], ...]:
        return report.node_facts(self.outputs.hosts)


def piray(arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, *events: Event) -> str:
    """Run a command on a stack whose pi1 had too little power; return what it prints, on one line."""
    told = Told(parse(OUTPUTS, "home"), (Event("nodes", {"nodes": [NODE], "expected": 1}), *events))
    monkeypatch.setattr(Place, "target", lambda _place: told)
    done = CliRunner().invoke(main, [*arguments, "--output", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_connectivity_warns_of_a_host_that_had_too_little_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"counts": [["pi1", "pi1", 1]]}
    events = (Event("round", {**counts, "wall_s": 1.0}), Event("result", counts))
    shown = piray(["run", "connectivity"], tmp_path, monkeypatch, *events)
    assert "Warning: pi1 reports throttling: under-voltage" in shown


def test_a_sweep_warns_of_a_host_that_had_too_little_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("print_sweep", "print_forecasts"):
        monkeypatch.setattr(sweep_tables, name, lambda *_: None)
    monkeypatch.setattr(sweep_tables, "more_nodes", lambda _: [])
    costs = {"call_s": 0.001, "copy_bytes_s": 1e9, "driver_cores": 4}
    result = {"unit": "node", "problems": [], "speeds": [], "costs": costs, "start_s": 1.0, "cold_s": [1.0]}
    shown = piray(["sweep"], tmp_path, monkeypatch, Event("result", {**result, "compiled": 0}))
    assert "Warning: pi1 reports throttling: under-voltage" in shown


def test_the_pi_job_shows_what_the_stack_knows_of_its_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = PiPart(
        index=0, samples=1000, num_inside=count_inside(1000, 0, 0), wall_s=0.1, node="pi1", pod="pi-0"
    )
    monkeypatch.setattr(pi_job, "read", lambda *_: pi_job.PiJobRun((part,), 1.0))
    shown = piray(["run", "pi"], tmp_path, monkeypatch)
    assert "Warning: pi1 reports throttling: under-voltage" in shown
    (node,) = json.loads((tmp_path / "pi.json").read_text())["nodes"]
    assert (node["name"], node["model"]) == ("pi1", "Raspberry Pi 4")
