"""The Pulumi program for 4, 100 and 1000 hosts: how its time, memory and resources grow.

`python -m bench.infra` prints the figures as JSON. Linux counts the size of whoever starts a process into the
process's peak, so those that are measured have to be started by a small one.
"""

import base64
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from bench import ratios
from bench.figures import Figure, WrongAnswer, timed, to_json
from bench.timing import in_turn
from sandbox.engine.stack.files import ROOT, engine_text, stack_config
from sandbox.project import TEST_ENGINE, ProjectCopy

SIZES = (4, 100, 1000)
# A round of all sizes, and of the peer, takes half a minute.
ROUNDS = 4
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
    runs = {
        (program, size): partial(_mocked_round, program, size)
        for program, sizes in ((PROGRAM, SIZES), (PEER, SIZES[-1:]))
        for size in sizes
    }
    took = in_turn(runs, ROUNDS)
    ours = {size: took[PROGRAM, size] for size in SIZES}
    engines: list[tuple[str, Path | None, int]] = [("the test engine", TEST_ENGINE, ROUNDS)]
    if shutil.which("pulumi"):
        # Once: a preview of 1000 hosts by the real engine takes more than a minute.
        engines.append(("the engine on PATH", None, 1))
    else:
        print("bench: no pulumi on PATH: previews with the project's test engine only", file=sys.stderr)
    return [
        _resources(ours),
        _linear("Program under Pulumi's mocks", ours),
        _against_peer(took[PEER, SIZES[-1]], ours[SIZES[-1]]),
        *(_previews(*engine, ours) for engine in engines),
    ]


def _mocked_round(program: Path, size: int, _: int) -> Took:
    return _under_mocks(program, _config(size))


def _preview_round(size: int, engine: Path | None, _: int) -> Took:
    return _preview(size, engine)


def _resources(ours: Mapping[int, Sequence[Took]]) -> Figure:
    few, some, many = (ours[size][0].resources for size in SIZES)
    agent = (many - some) / (SIZES[2] - SIZES[1])
    # There cannot be two servers.
    server = (_under_mocks(PROGRAM, _config(6, servers=3)).resources - few) / 2
    return Figure(
        "Four resources a host / resources a host",
        4 / max(agent, server),
        1.0,
        f"registrations under mocks: {agent:g} for an agent, {server:g} for a server",
    )


def _against_peer(peer: Sequence[Took], ours: Sequence[Took]) -> Figure:
    their_s, our_s = ([one.seconds for one in took] for took in (peer, ours))
    return timed(
        "Three naïve Commands a host / the program, 1000 hosts",
        ratios.of_pairs(their_s, our_s),
        1.0,
        f"CPU seconds under mocks: {statistics.median(their_s):.1f} ({peer[0].resources} resources) / "
        f"{statistics.median(our_s):.1f} ({ours[0].resources}); {peer[0].megabytes:.0f} / "
        f"{ours[0].megabytes:.0f} MB; median of {len(our_s)} rounds in turn",
    )


def _previews(name: str, engine: Path | None, rounds: int, ours: Mapping[int, Sequence[Took]]) -> Figure:
    took = in_turn({size: partial(_preview_round, size, engine) for size in SIZES}, rounds)
    for size in SIZES:
        if took[size][0].resources != ours[size][0].resources:
            raise WrongAnswer(
                f"{name} would create {took[size][0].resources} resources for {size} hosts, "
                f"not {ours[size][0].resources}."
            )
    return _linear(f"Preview with {name}", took, "; MB of the largest process")


def _linear(name: str, took: Mapping[int, Sequence[Took]], how: str = "") -> Figure:
    """Compare what a host more costs a small cluster with what it costs a large one, round by round."""
    small, middle, large = SIZES
    seconds = {size: [one.seconds for one in took[size]] for size in SIZES}
    first = [after - before for before, after in zip(seconds[small], seconds[middle], strict=True)]
    second = [after - before for before, after in zip(seconds[middle], seconds[large], strict=True)]
    listed = ", ".join(
        f"{size} hosts {statistics.median(seconds[size]):.1f} s {took[size][0].megabytes:.0f} MB"
        for size in SIZES
    )
    return timed(
        f"{name}: a host of the first 100 / of 1000",
        ratios.of_pairs(
            [each / (middle - small) for each in first], [each / (large - middle) for each in second]
        ),
        0.8,
        f"CPU: {listed}; median of {len(first)} round{'s in turn' if len(first) > 1 else ''}{how}",
    )


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
    print(to_json(figures()))
