"""Declares the step that brings the image to every Node before any pod needs it."""

import pulumi
from pulumi_command import local

from infra.config.model import StackConfig
from infra.delivery.archive import archive_file, archive_problem
from infra.delivery.task import Task
from infra.names import PYTHON

_RUN = f"{PYTHON} -m infra.delivery"
_LIMIT = "3h"


def check_image(config: StackConfig) -> None:
    """Look at the archive, before anything is changed.

    Raises:
        RunError: If it cannot be used, or made.
    """
    source, image = config.ray.image_source, config.ray.image
    if source.kind not in ("archive", "build"):
        return
    if problem := archive_problem(source, image, config.arch):
        raise pulumi.RunError(f"piray: {problem}. Nothing has been changed.")
    if source.kind == "archive" and not archive_file(source, image).exists():
        # Whoever only looks at a change (a pull request), or adds a Pi, does not need it.
        pulumi.warn(f"{source.file} is not there: that is fine only if a Pi of the stack has {image} already")


def declare_delivery(config: StackConfig, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Declare the step; nothing where only the kubelet has the password of the registry.

    Args:
        config: The stack.
        opts: Options of the resource; it needs every Node.
    """
    ray = config.ray
    if ray.pull_secret is not None:
        return []
    task = Task(
        image=ray.image,
        arch=config.arch,
        source=ray.image_source,
        hosts=[*config.servers, *config.agents],
        ssh=config.ssh,
    )
    step = local.Command(
        "ray-image",
        create=_RUN,
        update=_RUN,
        stdin=pulumi.Output.secret(task.to_json()),
        logging=local.Logging.STDERR,
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(
                custom_timeouts=pulumi.CustomTimeouts(create=_LIMIT, update=_LIMIT),
                # Keys are in it.
                hide_diffs=["stdin"],
            ),
            opts,
        ),
    )
    return [step]
