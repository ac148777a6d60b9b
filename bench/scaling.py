"""How more cores do against one, by `piray sweep`, and how well the simulation knew it before."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import ratios
from bench.distribution import CORES
from bench.figures import Figure, WrongAnswer, timed
from bench.ratios import Ratio
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
    found: dict[int, dict[str, Ratio]] = {}
    for problem in problems:
        for row in problem["rows"]:
            if row["simulated_s"] is not None:
                # One simulation of the row, against each of its rounds.
                ratio = ratios.of_values([row["simulated_s"] / wall_s for wall_s in row["values_s"]])
                found.setdefault(sum(row["cores"]), {})[problem["name"]] = ratios.closeness(ratio)
    return [_agreement(pis, ratios_of) for pis, ratios_of in found.items()]


def _agreement(pis: int, by_problem: Mapping[str, Ratio]) -> Figure:
    listed = ", ".join(f"{name} {ratio.median:.2f}" for name, ratio in by_problem.items())
    return timed(
        f"Simulated and measured time, {pis} of the simulated Pis, worst of {len(by_problem)} problems",
        min(by_problem.values(), key=lambda ratio: ratio.median),
        PREDICTION_GOAL,
        f"{listed}; the interval is that of the worst one; from the kernel's speed in the row and the costs "
        f"of calls and network; median of {PI_REPEATS} rounds; {os.cpu_count()} cores for all of them",
    )


def _predictions(race: Mapping[str, Any]) -> list[Figure]:
    return [
        _prediction(picture, cores, race["costs"]) for picture in race["pictures"] for cores in (1, CORES)
    ]


def _prediction(picture: Mapping[str, Any], cores: int, costs: Mapping[str, Any]) -> Figure:
    """Simulate each round with the kernel's speed in that round."""
    plan, times = Plan.from_dict(picture["plan"]), picture["times"]
    alone, walls_s = ("one core", "Ray, one core") if cores == 1 else ("independent", "Ray")
    foretold = [predict(plan, (cores,), cores * seconds, Costs(**costs)).wall_s for seconds in times[alone]]
    ratio = ratios.of_pairs(foretold, times[walls_s])
    return timed(
        f"Simulated and measured time, {picture['seconds']:g} s of work on {cores} cores",
        ratios.closeness(ratio),
        PREDICTION_GOAL,
        f"{ratio.median:.3f} times what was measured is simulated, from the kernel's speed and the cost of a "
        f"call; median of {len(foretold)} rounds in turn",
    )


def _efficiencies(race: Mapping[str, Any], folder: Path) -> list[Figure]:
    options = (f"--seconds={SECONDS}", f"--repeats={REPEATS}", f"--workers={CORES}")
    ideal = ratios.of_values(
        [
            one_s / independent_s / CORES
            for picture in race["pictures"]
            for one_s, independent_s in zip(
                picture["times"]["one core"], picture["times"]["independent"], strict=True
            )
        ]
    )
    return [_efficiency(problem, ideal) for problem in _sweep(folder, *options, env=os.environ)]


def _efficiency(problem: Mapping[str, Any], ideal: Ratio) -> Figure:
    """Compare the last row's efficiency with what was measured apart from it, so that there are no pairs."""
    base, last = problem["rows"][0], problem["rows"][-1]
    more = last["actors"] / max(1, base["actors"]) if problem["kind"] == "strong" else 1
    # A row may lack the last rounds.
    rounds = zip(base["values_s"], last["values_s"], strict=False)
    efficiency = ratios.of_values([base_s / last_s / more for base_s, last_s in rounds])
    return timed(
        f"Efficiency of {CORES} cores / that of independent processes, {problem['name']}",
        ratios.quotient(efficiency, ideal),
        EFFICIENCY_GOAL,
        f"{problem['kind']} scaling, {_with_interval(efficiency)}, median of {REPEATS} rounds; independent "
        f"processes {_with_interval(ideal)}; the interval is the quotient of theirs",
    )


def _with_interval(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.interval.low:.2f} to {ratio.interval.high:.2f})"


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
