"""Ray on the machine that runs Pulumi: the platform for who has no Pi."""

import json
import subprocess

import pulumi
from pulumi_command import local

from infra.config.load import StackConfig
from infra.names import LOCAL_RAY_TYPE
from infra.ray_token import ray_token
from infra.remote.command import render_stdin

_SCRIPT = "local/local-ray.sh"
_HOST = "this machine"
# `generation` looks at a few files and processes; `undo` gives every node its time to stop.
_TIMEOUT_S = 300


def run_script(action: str, stack: str) -> str:
    """Run an action of local-ray.sh that needs no more than the stack's name, outside of Pulumi's engine.

    Args:
        action: "generation", or "undo" for what an interrupted `up` has left.
        stack: Name of the stack.

    Returns:
        What the script printed; empty where it failed.
    """
    done = subprocess.run(
        ["bash", "-s", "--", action],
        input=render_stdin([_SCRIPT], {"HOST": _HOST, "STACK": stack}),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return done.stdout if done.returncode == 0 else ""


class LocalRay(pulumi.ComponentResource):
    """A Ray head and workers as processes of this machine, on its loopback interface only.

    After `up` they run, and go on running after Pulumi has ended. Another number of workers starts or stops
    workers and leaves the others alone. `destroy` stops exactly these processes and removes their files; they
    are in $XDG_STATE_HOME/piray/<stack> (else ~/.local/state/piray/<stack>).

    Attributes:
        token: Ray's bearer token. Secret.
        dashboard_url: Where the dashboard and the Jobs API listen.
    """

    token: pulumi.Output[str]
    dashboard_url: pulumi.Output[str]

    def __init__(self, name: str, config: StackConfig, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(LOCAL_RAY_TYPE, name, None, opts)
        self.token = ray_token(f"{name}-token", pulumi.ResourceOptions(parent=self))
        # No path of this machine is among them: on another one the same inputs must mean the same.
        variables = {
            "HOST": _HOST,
            "STACK": pulumi.get_stack(),
            # Pulumi runs a Command only when an input has changed: a node that died has to be one.
            "GENERATION": run_script("generation", pulumi.get_stack()).strip() or "0",
            "RAY_VERSION": config.ray.version,
            "WORKERS": str(config.workers),
            "HEAD_CPUS": str(config.ray.head_cpus),
            "WORKER_CPUS": str(config.ray.worker_cpus),
        }
        stdin: pulumi.Output[str] = self.token.apply(
            lambda token: render_stdin([_SCRIPT], {**variables, "TOKEN": token})
        )
        command = local.Command(
            f"{name}-local",
            create="bash -s -- apply",
            update="bash -s -- apply",
            delete="bash -s -- undo",
            stdin=stdin,
            logging=local.Logging.NONE,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.dashboard_url = command.stdout.apply(lambda text: str(json.loads(text)["dashboardUrl"]))
        self.register_outputs({"dashboardUrl": self.dashboard_url})
