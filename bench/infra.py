"""The Pulumi program for 4, 100 and 1000 hosts: how its time, memory and resources grow.

`python -m bench.infra` prints the figures as JSON. Linux counts the size of whoever starts a process into the
process's peak, so those that are measured have to be started by a small one.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import yaml

from bench.figures import Figure, WrongAnswer
from sandbox.engine.stack.files import ROOT, engine_text, stack_config
from sandbox.project import TEST_ENGINE, ProjectCopy

SIZES = (4, 100, 1000)
# The short runs are the noisy ones, and both slopes begin at them.
RUNS_A_TURN = {4: 3, 100: 3, 1000: 1}
TURNS = 2
PROGRAM = ROOT / "__main__.py"
PEER = ROOT / "bench" / "peers" / "three_commands.py"
STACK = "bench"


@dataclass(frozen=True)
class Took:
    """What one run took.

    Attributes:
        seconds: Of CPU, of all processes: other people's work on the machine is not in it.
        megabytes: Peak of the largest process.
        resources: Registered, the stack itself not counted.
    """

    seconds: float
    megabytes: float
    resources: int


def figures() -> list[Figure]:
    """Measure the program under mocks and with the engines that are there.

    Raises:
        WrongAnswer: If an engine would create something else than what is registered under mocks.
    """
    ours = _fastest(lambda size: _under_mocks(PROGRAM, _config(size)))
    peer = _fastest(lambda size: _under_mocks(PEER, _config(size)), sizes=SIZES[-1:])[SIZES[-1]]
    few, some, many = (ours[size] for size in SIZES)
    agent = (many.resources - some.resources) / (SIZES[2] - SIZES[1])
    # There cannot be two servers.
    server = (_under_mocks(PROGRAM, _config(6, servers=3)).resources - few.resources) / 2
    found = [
        Figure(
            "Four resources a host / resources a host",
            4 / max(agent, server),
            1.0,
            f"registrations under mocks: {agent:g} for an agent, {server:g} for a server",
        ),
        _linear("Program under Pulumi's mocks", ours, TURNS),
        Figure(
            "Three naïve Commands a host / the program, 1000 hosts",
            peer.seconds / many.seconds,
            1.0,
            f"CPU seconds under mocks: {peer.seconds:.1f} ({peer.resources} resources) / {many.seconds:.1f} "
            f"({many.resources}); {peer.megabytes:.0f} / {many.megabytes:.0f} MB; fastest of {TURNS} runs",
        ),
    ]
    engines: list[tuple[str, Path | None, int]] = [("the test engine", TEST_ENGINE, TURNS)]
    if shutil.which("pulumi"):
        # Once: a preview of 1000 hosts by the real engine takes more than a minute.
        engines.append(("the engine on PATH", None, 1))
    else:
        print("bench: no pulumi on PATH: previews with the project's test engine only", file=sys.stderr)
    for name, folder, turns in engines:
        took = _fastest(partial(_preview, engine=folder), turns=turns)
        for size in SIZES:
            if took[size].resources != ours[size].resources:
                raise WrongAnswer(
                    f"{name} would create {took[size].resources} resources for {size} hosts, "
                    f"not {ours[size].resources}."
                )
        found.append(_linear(f"Preview with {name}", took, turns, "; MB of the largest process"))
    return found


def _linear(name: str, took: Mapping[int, Took], turns: int, how: str = "") -> Figure:
    """Compare what a host more costs a small cluster with what it costs a large one."""
    small, middle, large = SIZES
    first = (took[middle].seconds - took[small].seconds) / (middle - small)
    second = (took[large].seconds - took[middle].seconds) / (large - middle)
    listed = ", ".join(
        f"{size} hosts {one.seconds:.1f} s {one.megabytes:.0f} MB" for size, one in took.items()
    )
    runs = ", ".join(str(turns * RUNS_A_TURN[size]) for size in SIZES)
    return Figure(
        f"{name}: a host of the first 100 / of 1000",
        first / second,
        0.8,
        f"CPU: {listed}; fastest of {runs} runs{how}",
    )


def _fastest(
    run: Callable[[int], Took], *, sizes: Sequence[int] = SIZES, turns: int = TURNS
) -> dict[int, Took]:
    """Return the fastest run of each size; they take turns, so that a slow minute is no size's alone."""
    runs: dict[int, list[Took]] = {size: [] for size in sizes}
    for _ in range(turns):
        for size in sizes:
            runs[size] += [run(size) for _ in range(RUNS_A_TURN[size])]
    return {size: min(took, key=lambda one: one.seconds) for size, took in runs.items()}


def _under_mocks(program: Path, config: Mapping[str, str]) -> Took:
    done = subprocess.run(
        [sys.executable, "-m", "bench.mocked", str(program)],
        input=json.dumps(config),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Took(**json.loads(done.stdout))


def _preview(size: int, engine: Path | None) -> Took:
    """Preview a new stack.

    Without host keys: the real engine hands all of the config to the program in one environment variable, of
    which Linux allows 128 KiB.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = ProjectCopy(Path(folder), engine)
        contents = yaml.safe_load((copy.folder / "Pulumi.dev.yaml").read_text())
        contents["config"] |= {"piray:hosts": _hosts(size, keys=False), "piray:insecureHostKeys": True}
        (copy.folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(contents))
        run = partial(subprocess.Popen, cwd=copy.folder, env=copy.env, stderr=subprocess.DEVNULL)
        with run(["pulumi", "stack", "select", "--create", STACK], stdout=subprocess.DEVNULL) as select:
            select.wait()
        answer = Path(folder) / "preview.json"
        with answer.open("w") as out:
            process = run(["pulumi", "preview", "--stack", STACK, "--json"], stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise WrongAnswer(f"the preview of {size} hosts failed: {answer.read_text()[-2000:]}")
        steps = json.loads(answer.read_text())["changeSummary"]["create"]
    return Took(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, steps - 1)


def _config(size: int, *, servers: int = 1) -> dict[str, str]:
    """Return the example stack's config with other hosts, as the engine hands it over."""
    return {**stack_config("dev"), "piray:hosts": engine_text(_hosts(size, servers=servers))}


def _hosts(size: int, *, servers: int = 1, keys: bool = True) -> list[dict[str, str]]:
    hosts = [
        {
            "name": f"pi{number}",
            "address": f"10.0.{number // 250}.{number % 250 + 1}",
            "role": "server" if number <= servers else "agent",
        }
        for number in range(1, size + 1)
    ]
    return [{**host, "hostKey": _host_key(host["name"])} for host in hosts] if keys else hosts


def _host_key(name: str) -> str:
    """Return a well-formed Ed25519 key that belongs to nobody."""
    fields = (b"ssh-ed25519", hashlib.sha256(name.encode()).digest())
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


if __name__ == "__main__":
    print(json.dumps([asdict(figure) for figure in figures()]))
