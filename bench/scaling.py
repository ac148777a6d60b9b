"""How two cores do against one, by `piray sweep`, and how well the simulation knew it before."""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.distribution import CORES
from bench.figures import Figure, WrongAnswer
from workloads.limits import predict
from workloads.plan import Plan

SECONDS, REPEATS = 1, 5
TIMEOUT_S = 600.0
# Of what independent processes reach; a sweep has fewer rounds than the race.
EFFICIENCY_GOAL = 0.9
# Simulated over measured, or the other way round.
PREDICTION_GOAL = 0.9


def figures(race: Mapping[str, Any], folder: Path) -> list[Figure]:
    """Sweep on this machine, and compare the simulation with what was measured.

    Args:
        race: What `distribution.race` told.
        folder: Where sweep.json goes.

    Raises:
        WrongAnswer: If the sweep fails: it refuses pictures that differ.
    """
    return [*_predictions(race), *_efficiencies(race, folder)]


def _predictions(race: Mapping[str, Any]) -> list[Figure]:
    found = []
    for picture in race["pictures"]:
        plan, times = Plan.from_dict(picture["plan"]), picture["times"]
        best = {name: min(values) for name, values in times.items()}
        runs = {
            1: (best["one core"], best["Ray, one core"]),
            CORES: (CORES * best["independent"], best["Ray"]),
        }
        for cores, (kernel_s, wall_s) in runs.items():
            foretold = predict(plan, cores, kernel_s, race["call_s"]).wall_s
            found.append(
                Figure(
                    f"Simulated and measured time, {picture['seconds']:g} s of work on {cores} cores",
                    min(foretold / wall_s, wall_s / foretold),
                    PREDICTION_GOAL,
                    f"{foretold:.3f} s simulated from the kernel's speed and the cost of a call, "
                    f"{wall_s:.3f} s measured",
                )
            )
    return found


def _efficiencies(race: Mapping[str, Any], folder: Path) -> list[Figure]:
    options = [f"--seconds={SECONDS}", f"--repeats={REPEATS}", f"--workers={CORES}", f"--output={folder}"]
    done = subprocess.run(
        [sys.executable, "-m", "workloads.cli", "sweep", *options],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise WrongAnswer(f"the sweep: {done.stderr.strip()}")
    ideal = statistics.median(
        picture["times"]["one core"][0] / min(picture["times"]["independent"]) / CORES
        for picture in race["pictures"]
    )
    found = []
    for problem in json.loads((folder / "sweep.json").read_text())["problems"]:
        if problem["name"] == "the write-up's":
            continue
        efficiency = problem["scaling"]["gains"][-1]["efficiency"]
        found.append(
            Figure(
                f"Efficiency of {CORES} cores / that of independent processes, {problem['name']}",
                efficiency["value"] / ideal,
                EFFICIENCY_GOAL,
                f"{problem['kind']} scaling, median of {REPEATS} rounds, 95 % interval of the efficiency "
                f"{efficiency['low']:.2f} to {efficiency['high']:.2f}; independent processes {ideal:.2f}",
            )
        )
    return found
