"""`python -m bench`: prints a table, writes results/bench.json; fails on wrong answers, never on time."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import distribution, jit, scaling
from bench.arm64 import loops
from bench.figures import Figure, WrongAnswer, from_json, table, write
from bench.kernels import article, mandelbrot

RESULTS = Path("results")


def main() -> int:
    """Return the exit code: 1 if something that was to be timed is wrong."""
    argparse.ArgumentParser(prog="python -m bench", description=__doc__).parse_args()
    begin = time.monotonic()
    try:
        figures = [
            *_section("the kernels, on one core", lambda: [*mandelbrot.figures(), article.monte_carlo()]),
            *_section("their loops on a Pi, modelled", loops.figures),
            *_section("what compiling costs a process", jit.figures),
            *_section("pictures on two cores", _two_cores),
            *_section("the Pulumi program for many hosts", lambda: _in_a_small_process("bench.infra")),
            *_section("what a user waits for", lambda: _in_a_small_process("bench.deploy")),
            *_section("pictures on simulated Pis", lambda: scaling.on_simulated_pis(RESULTS / "sandbox")),
        ]
    except WrongAnswer as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    write(figures, RESULTS / "bench.json")
    print(table(figures))
    print(f"{time.monotonic() - begin:.0f} s; written to {RESULTS / 'bench.json'}")
    return 0


def _two_cores() -> list[Figure]:
    race = distribution.race()
    return [*distribution.figures(race), *scaling.figures(race, RESULTS)]


def _in_a_small_process(module: str) -> list[Figure]:
    # Hosts of its own, beside those of a sandbox that is up.
    env = {**os.environ, "PIRAY_SANDBOX_NUMBER": "99"}
    done = subprocess.run(
        [sys.executable, "-m", module], stdout=subprocess.PIPE, text=True, check=False, env=env
    )
    if done.returncode != 0:
        raise WrongAnswer(f"{module} failed, for the reason above.")
    return from_json(done.stdout)


def _section(name: str, measure: Callable[[], list[Figure]]) -> list[Figure]:
    print(f"bench: {name} …", file=sys.stderr, flush=True)
    begin = time.monotonic()
    figures = measure()
    print(f"bench: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
