"""Runs a Pulumi program with its resources performed, in the place of Pulumi's mocks."""

import logging
import re
import runpy
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_project, get_stack

from sandbox.engine.program.answers import Answers
from sandbox.engine.program.under_mocks import run_under_mocks
from sandbox.engine.stack.resource import STACK_TYPE, Resource
from sandbox.engine.steps.deployment import PARALLEL, Deployment
from sandbox.engine.steps.run import Run

# Options of resources that the program does not use; silently ignored, they would make a scenario lie.
# (Ignored are aliases, which the SDK of Kubernetes gives for types of old API versions, and what hides parts
# of a diff, since this engine prints none.)
_REFUSED_OPTIONS = (
    "deletedWith",
    "ignoreChanges",
    "importId",
    "protect",
    "remote",
    "replace_with",
    "retainOnDelete",
    "transforms",
)


class PerformingMonitor(MockMonitor):
    """Pulumi's mock monitor, with each resource handed to a deployment.

    Args:
        deployment: What performs it.
        run: What keeps outputs.
    """

    def __init__(self, deployment: Deployment, run: Run) -> None:
        super().__init__(Answers(lambda _: {}))
        self.deployment = deployment
        self.run = run

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN of a resource, with the types of all that it is in."""
        # The mocks put the stack's type before the others, and keep only the last one of a parent's types.
        above = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if above == STACK_TYPE else f"{above}${type_}"
        return "urn:pulumi:" + "::".join([get_stack(), get_project(), qualified, name])

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        """Bring a resource into the state that the program wants."""
        if refused := [name for name in _REFUSED_OPTIONS if getattr(request, name)]:
            raise NotImplementedError(f"{request.name}: the test engine knows no option {', '.join(refused)}")
        done = self.deployment.register(
            _goal(request, self.make_urn(request.parent, request.type, request.name))
        )
        outputs = json_format.ParseDict(done.outputs if done.custom else {}, struct_pb2.Struct())
        return resource_pb2.RegisterResourceResponse(urn=done.urn, id=done.id, object=outputs)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        """Record what a component or the whole stack tells."""
        self.run.set_outputs(request.urn, json_format.MessageToDict(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        """Refuse a call of a provider's function."""
        raise NotImplementedError(f"the test engine cannot call {request.tok}")

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        """Refuse a look at what somebody else has made."""
        raise NotImplementedError(f"the test engine cannot read {request.name}")


def run_program(
    folder: Path,
    config: tuple[Mapping[str, str], Collection[str]],
    deployment: Deployment,
    run: Run,
    *,
    project: str,
    stack: str,
) -> None:
    """Run the `__main__.py` of a folder until all that it has begun is over.

    Args:
        folder: The program's.
        config: The stack's configuration in clear, and its keys that are encrypted.
        deployment: What performs the program's wishes.
        run: What keeps outputs.
        project: Name of the project.
        stack: Name of the stack.

    Raises:
        BaseException: Whatever ended the program, StoppedError of a step included.
    """
    logger = logging.getLogger("pulumi-program")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    sys.path.insert(0, str(folder))
    run_under_mocks(
        lambda: runpy.run_path(str(folder / "__main__.py"), run_name="__main__"),
        PerformingMonitor(deployment, run),
        config[0],
        secret_keys=config[1],
        stack=stack,
        preview=run.preview,
        project=project,
        logger=logger,
        # Registrations wait for their hosts; the default of a small machine would be six at a time.
        threads=PARALLEL,
    )


def _goal(request: Any, urn: str) -> Resource:
    timeouts = {name: getattr(request.customTimeouts, name) for name in ("create", "update", "delete")}
    return Resource(
        urn=urn,
        type=request.type,
        custom=request.custom,
        inputs=json_format.MessageToDict(request.object),
        parent=request.parent,
        provider=request.provider,
        dependencies=sorted(request.dependencies),
        property_dependencies={
            key: sorted(value.urns) for key, value in request.propertyDependencies.items() if value.urns
        },
        additional_secret_outputs=list(request.additionalSecretOutputs),
        replace_on_changes=list(request.replaceOnChanges),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        timeouts_s={name: seconds(text) for name, text in timeouts.items() if text},
    )


def seconds(duration: str) -> float:
    """Turn Go's notation of a duration, e.g. `1h30m`, into seconds."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))
