"""How more cores do against one, by `piray sweep`, and how well the simulation knew it before."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.distribution import CORES
from bench.figures import Figure, WrongAnswer
from sandbox.__main__ import STACK_FILE, engine
from sandbox.stack import STACK
from workloads.mandelbrot.plan import Plan
from workloads.scaling.forecast import ARTICLE_PROBLEM, Costs, predict

SECONDS, REPEATS = 1, 5
# On simulated Pis, which have to share this machine's cores.
PI_SECONDS, PI_REPEATS = 2, 3
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


def on_simulated_pis(folder: Path) -> list[Figure]:
    """Sweep over the simulated Pis that are up, and compare the simulation with what was measured.

    Args:
        folder: Where sweep.json goes.

    Raises:
        WrongAnswer: If the sweep fails: it refuses pictures that differ.
    """
    if not STACK_FILE.exists():
        print("bench: no simulated Pis are up (`make sandbox`): they are left out", file=sys.stderr)
        return []
    options = (f"--stack={STACK}", f"--seconds={PI_SECONDS}", f"--repeats={PI_REPEATS}")
    problems = _sweep(folder, *options, env=engine()[0])
    ratios: dict[int, dict[str, float]] = {}
    for problem in problems:
        for row in problem["rows"]:
            foretold, wall_s = row["simulated_s"], statistics.median(row["values_s"])
            if foretold is None:
                continue
            ratios.setdefault(sum(row["cores"]), {})[problem["name"]] = min(
                foretold / wall_s, wall_s / foretold
            )
    return [_agreement(pis, found) for pis, found in ratios.items()]


def _agreement(pis: int, ratios: Mapping[str, float]) -> Figure:
    listed = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    return Figure(
        f"Simulated and measured time, {pis} of the simulated Pis, worst of {len(ratios)} problems",
        min(ratios.values()),
        PREDICTION_GOAL,
        f"{listed}; from the kernel's speed in the row and the costs of calls and network; median of "
        f"{PI_REPEATS} rounds; {os.cpu_count()} cores for all of them",
    )


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
            foretold = predict(plan, (cores,), kernel_s, Costs(**race["costs"])).wall_s
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
    options = (f"--seconds={SECONDS}", f"--repeats={REPEATS}", f"--workers={CORES}")
    problems = _sweep(folder, *options, env=os.environ)
    ideal = statistics.median(
        statistics.median(picture["times"]["one core"])
        / statistics.median(picture["times"]["independent"])
        / CORES
        for picture in race["pictures"]
    )
    found = []
    for problem in problems:
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


def _sweep(folder: Path, *options: str, env: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what a sweep found of each problem that is more than a moment's work."""
    done = subprocess.run(
        [sys.executable, "-m", "workloads.cli", "sweep", f"--output={folder}", *options],
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise WrongAnswer(f"the sweep: {done.stderr.strip()}")
    problems = json.loads((folder / "sweep.json").read_text())["problems"]
    return [problem for problem in problems if problem["name"] != ARTICLE_PROBLEM]
