"""How long a user waits: `up` on three simulated Pis by the engine on PATH, and a clone's first `make run`.

`python -m bench.deploy` prints the figures as JSON.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bench.figures import Figure, WrongAnswer, to_json
from bench.timing import seconds_of
from sandbox.engine.stack.files import ROOT
from sandbox.machine.prerequisites import missing
from sandbox.machine.progress import Progress
from sandbox.project import ProjectCopy
from sandbox.site import Site
from sandbox.stack import STACK

HOSTS = ("pi1", "pi2", "pi3")
REPEATS = 3
# Seconds.
BARE_GOAL_S, NOTHING_GOAL_S, WORKER_GOAL_S, CLONE_GOAL_S = 60.0, 5.0, 8.0, 60.0


def figures() -> list[Figure]:
    """Measure what can be measured here; the rest is named on standard error.

    Raises:
        WrongAnswer: If a command that is timed fails.
    """
    found = [
        _figure("The first `make run` of a clone", CLONE_GOAL_S, [_first_run()], "what pip has kept is used")
    ]
    reasons = missing() if shutil.which("pulumi") else ["no pulumi on PATH"]
    if Site().is_open:
        reasons.append("a sandbox is up; PIRAY_SANDBOX_NUMBER=1 makes another one")
    if reasons:
        print(f"bench: `up` on simulated Pis is left out: {'; '.join(reasons)}", file=sys.stderr)
        return found
    return [*found, *_ups()]


def _first_run() -> float:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "piray"
        _run(["git", "clone", "--quiet", str(ROOT), str(clone)], ROOT, dict(os.environ))
        return seconds_of(lambda: _run(["make", "run"], clone, dict(os.environ)))


def _ups() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, _site() as site:
        copy = ProjectCopy(Path(folder))
        hosts = site.start_all(HOSTS)

        def up(workers: int) -> float:
            (copy.folder / f"Pulumi.{STACK}.yaml").write_text(site.stack_text(hosts, workers))
            command = [sys.executable, "-m", "infra.pulumi_cli", "up", STACK]
            return seconds_of(lambda: _run(command, copy.folder, copy.env))

        yield _figure("`up` on three bare Pis, the π Job included", BARE_GOAL_S, [up(1)])
        yield _figure("`up` with nothing to do", NOTHING_GOAL_S, [up(1) for _ in range(REPEATS)])
        more = []
        for _ in range(REPEATS):
            more.append(up(2))
            up(1)
        yield _figure("`up` with one worker more", WORKER_GOAL_S, more)


@contextmanager
def _site() -> Iterator[Site]:
    site = Site()
    try:
        site.open(Progress(Console(stderr=True)))
        yield site
    finally:
        site.close()


def _figure(name: str, goal_s: float, took: list[float], how: str = "") -> Figure:
    median = statistics.median(took)
    listed = ", ".join(f"{seconds:.1f}" for seconds in took)
    return Figure(f"{goal_s:g} s / {name}", goal_s / median, 1.0, f"{listed} s{'; ' if how else ''}{how}")


def _run(command: list[str], folder: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WrongAnswer(f"`{' '.join(command)}` failed: {(done.stdout + done.stderr)[-2000:]}")


if __name__ == "__main__":
    print(to_json(figures()))
