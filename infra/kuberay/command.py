"""Declares a step that Pulumi runs on the user's machine against the cluster: `python -m infra.kuberay`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pulumi
from pulumi_command import local

from infra.kuberay.task import Task
from infra.names import PYTHON

RUN = f"{PYTHON} -m infra.kuberay"

# More than any step gives itself, so that it is the step that says what is wrong.
_MARGIN_S = 120


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is done when.

    Attributes:
        task: What it is told besides kubeconfig, Namespace and revision.
        create: Action at `up`, and whenever the task has changed; empty for none.
        delete: Action when it is no longer declared; empty for none.
        limit_s: What the actions may take.
        revision: What pods have in their annotation when they are as declared.
    """

    task: Task
    create: str = ""
    delete: str = ""
    limit_s: float = 600.0
    revision: pulumi.Input[str] = ""


def step_command(
    name: str,
    step: Step,
    kubeconfig: pulumi.Output[str],
    namespace: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> local.Command:
    """Declare a step.

    Args:
        name: Name of the resource.
        step: What is done when.
        kubeconfig: How to reach the cluster. Secret.
        namespace: Namespace of Ray.
        opts: Options of the resource.
    """
    limit = f"{step.limit_s + _MARGIN_S:.0f}s"
    # `:` does nothing, well.
    create = f"{RUN} {step.create}" if step.create else ":"
    return local.Command(
        name,
        create=create,
        update=create,
        delete=f"{RUN} {step.delete}" if step.delete else None,
        stdin=_stdin(step, kubeconfig, namespace),
        logging=local.Logging.NONE,
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(
                custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit, delete=limit),
                # The kubeconfig is in it.
                hide_diffs=["stdin"],
            ),
            opts,
        ),
    )


def _stdin(step: Step, kubeconfig: pulumi.Output[str], namespace: pulumi.Input[str]) -> pulumi.Output[str]:
    def render(known: Mapping[str, str]) -> str:
        kubeconfig, namespace, revision = (known[key] for key in ("kubeconfig", "namespace", "revision"))
        return replace(step.task, kubeconfig=kubeconfig, namespace=namespace, revision=revision).to_json()

    known: pulumi.Output[Mapping[str, str]] = pulumi.Output.all(
        kubeconfig=kubeconfig, namespace=namespace, revision=step.revision
    )
    stdin: pulumi.Output[str] = pulumi.Output.secret(known.apply(render))
    return stdin
