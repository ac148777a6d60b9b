"""What sharing a picture costs, against computing alone, Dask and multiprocessing."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from bench import ratios
from bench.figures import Figure, WrongAnswer, timed
from workloads.runner.embedded import environment

CORES = 2
# Rounds by seconds of one core's work; pixels a side of pictures after which the driver is weighed.
SPEC = {"rounds": {"1": 9, "3": 5, "10": 4}, "sides": [2_048, 20_480]}
TIMEOUT_S = 600.0
# Overhead over computing time divided by cores: of every picture, and of those of so many seconds.
MOST_OVERHEAD, LONG_S, MOST_OVERHEAD_LONG = 0.10, 10, 0.05
MEMORY_GOAL = 0.8


def race() -> dict[str, Any]:
    """Let Ray and its peers compute pictures of one second and more on two cores; return what `race` tells.

    Raises:
        WrongAnswer: If two of them draw different pictures.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.race", json.dumps(SPEC)],
        env=environment(os.environ),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()
        raise WrongAnswer(f"the pictures on two cores: {reason[-1] if reason else done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def figures(found: Mapping[str, Any]) -> list[Figure]:
    """Return what sharing costs, from what `race` told."""
    measured = [figure for picture in found["pictures"] for figure in _picture_figures(picture)]
    small, large = found["memory_mib"]
    how = f"its own, at most, for pictures of 4 and of 419 million pixels: {small:.0f} and {large:.0f} MiB"
    return [
        *measured,
        Figure("Driver's memory, small picture / large picture", small / large, MEMORY_GOAL, how),
    ]


def _picture_figures(picture: Mapping[str, Any]) -> list[Figure]:
    times, seconds = picture["times"], picture["seconds"]
    plan, rounds = picture["plan"], len(times["Ray"])
    side = plan["x_grids"] * plan["grid_width"]
    size_text = f"{side} x {side} pixels, {plan['max_iterations']} iterations"
    how = f"{size_text}; {CORES} cores, median of {rounds} rounds in turn"
    size = f"{seconds:g} s of work"
    overhead = MOST_OVERHEAD_LONG if seconds >= LONG_S else MOST_OVERHEAD
    found = [
        timed(
            f"Computing time / Ray's wall time, {size}",
            ratios.of_pairs([busy / CORES for busy in times["busy"]], times["Ray"]),
            round(1 / (1 + overhead), 3),
            f"{how}; the workers' own seconds divided by the cores",
        ),
        timed(
            f"Independent processes / Ray, {size}",
            ratios.of_pairs(times["independent"], times["Ray"]),
            0.95,
            f"{how}; the former store and send nothing",
        ),
    ]
    for peer, package in (("multiprocessing", None), ("Dask", "distributed")):
        if peer in times:
            name = f"{peer} {_version(package)}".strip()
            ratio = ratios.of_pairs(times[peer], times["Ray"])
            found.append(timed(f"{peer} / Ray, {size}", ratio, 1.0, f"{name}; {how}"))
    return found


def _version(package: str | None) -> str:
    try:
        return version(package) if package else ""
    except PackageNotFoundError:
        return ""
