"""`python -m sandbox up|down`: what `make sandbox` and `make sandbox-down` run."""

import os
import subprocess
import sys
from collections.abc import Mapping

import click
from rich.console import Console

from infra.pulumi_cli import PulumiCliError, environment, find_pulumi
from sandbox.engine.stack.files import ROOT
from sandbox.machine.prerequisites import missing
from sandbox.machine.process import SandboxError
from sandbox.machine.progress import Progress
from sandbox.project import TEST_ENGINE
from sandbox.site import Site
from sandbox.stack import STACK

STACK_FILE = ROOT / f"Pulumi.{STACK}.yaml"


@click.group()
def main() -> None:
    """Simulated Raspberry Pis with a real Kubernetes, on this machine."""


@main.command()
@click.option("--hosts", type=click.IntRange(1, 9), default=3, show_default=True, help="Simulated Pis.")
@click.option("--workers", type=click.IntRange(0, 9), default=2, show_default=True, help="Ray workers.")
@click.option(
    "--mode",
    type=click.Choice(["deployments", "kuberay"]),
    default="deployments",
    show_default=True,
    help="Who makes Ray's pods.",
)
def up(hosts: int, workers: int, mode: str) -> None:
    """Bring up simulated Pis, apply the program to them, run the Mandelbrot benchmark on the cluster."""
    if reasons := missing():
        raise SandboxError("\n".join(reasons))
    progress = Progress(Console(stderr=True))
    site = Site()
    env, path = engine()
    if not site.is_open:
        # What a stack knows of hosts that ended with the machine, say, is nothing to new ones.
        _forget(env)
    site.open(progress)
    if mode == "kuberay":
        site.add_kuberay(progress)
    with progress.phase(f"{hosts} simulated Pis"):
        pis = site.start_all([f"pi{number}" for number in range(1, hosts + 1)])
    STACK_FILE.write_text(site.stack_text(pis, workers, ray={"mode": mode}))
    with progress.phase(f"`make up STACK={STACK}`"):
        _run("infra.pulumi_cli", "up", STACK, env=env)
    with progress.phase(f"`piray run mandelbrot --stack {STACK}`"):
        _run("workloads.cli", "run", "mandelbrot", "--stack", STACK, env=env)
    click.echo(
        f"The cluster is up. Try also: {path}.venv/bin/piray run pi --stack {STACK}\n"
        f"To log in on a Pi: ssh -i {site.key_file} pi@{pis[0].address}\n"
        "To remove everything: make sandbox-down"
    )


@main.command()
def down() -> None:
    """Remove the simulated Pis and all that belongs to them; what is cached stays."""
    Site().close()
    if STACK_FILE.exists():
        _forget(engine()[0])


def _forget(env: Mapping[str, str]) -> None:
    """Remove the stack: its hosts go away as a whole, and are not undone step by step."""
    forget = ["pulumi", "stack", "rm", STACK, "--yes", "--force"]
    done = subprocess.run(forget, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode and "no stack named" not in done.stderr:
        raise SandboxError(f"`{' '.join(forget)}` failed: {done.stderr.strip()}")
    # Pulumi removes it together with the stack, if there was a stack.
    STACK_FILE.unlink(missing_ok=True)


def engine() -> tuple[Mapping[str, str], str]:
    """Return the environment with the engine to use, and what a user has to put before a command for it."""
    try:
        pulumi = find_pulumi()
    except PulumiCliError as error:
        reason = str(error).split(";", maxsplit=1)[0]
        click.echo(f"piray: {reason}: the project's test engine is used", err=True)
        pulumi = TEST_ENGINE / "pulumi"
    else:
        click.echo(f"piray: the Pulumi CLI is {pulumi}", err=True)
    before = "PATH=sandbox/engine/bin:$PATH " if pulumi.parent == TEST_ENGINE else ""
    return environment(pulumi, os.environ), before


def _run(module: str, *arguments: str, env: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", module, *arguments]
    code = subprocess.run(command, cwd=ROOT, env=dict(env), stdin=subprocess.DEVNULL, check=False).returncode
    if code:
        raise SandboxError(f"`{module} {' '.join(arguments)}` ended with code {code}; what it said is above")


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except SandboxError as error:
        for line in str(error).splitlines():
            click.echo(f"piray: {line}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
