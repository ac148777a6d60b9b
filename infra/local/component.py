"""Ray on the machine that runs Pulumi, for those who have no Pi."""

import json
from functools import partial

import pulumi
from pulumi_command import local

from infra.config.ray import RayConfig
from infra.local.nodes import generation
from infra.local.wanted import Wanted
from infra.names import LOCAL_RAY_TYPE, PYTHON
from infra.ray_token import ray_token

RUN = f"{PYTHON} -m infra.local"


class LocalRay(pulumi.ComponentResource):
    """A Ray head and workers as processes of this machine, on its loopback interface only.

    After `up` they run, and go on running after Pulumi has ended. Another number of workers starts or stops
    workers and leaves the others alone. `destroy` stops exactly these processes and removes their files; they
    are in $XDG_STATE_HOME/piray/<stack> (else ~/.local/state/piray/<stack>).

    Args:
        name: Name of the component; its resources are called after it.
        ray: The Ray to run; image and memory mean nothing here.
        workers: Number of Ray workers, the head not counted.
        opts: Options of the component.

    Attributes:
        token: Ray's bearer token. Secret.
        dashboard_url: Where the dashboard and the Jobs API listen.
    """

    token: pulumi.Output[str]
    dashboard_url: pulumi.Output[str]

    def __init__(
        self, name: str, ray: RayConfig, workers: int, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(LOCAL_RAY_TYPE, name, None, opts)
        self.token = ray_token(f"{name}-token", pulumi.ResourceOptions(parent=self))
        stack = pulumi.get_stack()
        wanted = partial(
            Wanted,
            stack=stack,
            # Pulumi runs a Command only when an input has changed: a node that died has to be one.
            generation=generation(stack),
            ray_version=ray.version,
            workers=workers,
            head_cpus=ray.head_cpus,
            worker_cpus=ray.worker_cpus,
        )
        stdin: pulumi.Output[str] = self.token.apply(lambda token: wanted(token=token).to_json())
        command = local.Command(
            f"{name}-local",
            create=f"{RUN} apply",
            update=f"{RUN} apply",
            delete=f"{RUN} undo",
            stdin=stdin,
            logging=local.Logging.NONE,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.dashboard_url = command.stdout.apply(lambda text: str(json.loads(text)["dashboardUrl"]))
        self.register_outputs({"dashboardUrl": self.dashboard_url})
