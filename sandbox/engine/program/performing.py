"""Runs a Pulumi program with the test engine in the place of Pulumi's mocks."""

import asyncio
import logging
import re
import runpy
import signal
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import set_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.rpc import serialize_properties
from pulumi.runtime.settings import get_project, get_root_resource, get_stack
from pulumi.runtime.stack import Stack, run_pulumi_func

from sandbox.engine.program.mocks import Answers
from sandbox.engine.stack.state import STACK_TYPE, Resource
from sandbox.engine.steps.deployment import PARALLEL, Deployment
from sandbox.engine.steps.run import Run

# Options of resources that the program does not use; silently ignored, they would make a scenario lie.
# (Aliases are ignored: the SDK of Kubernetes gives them for types of old API versions.)
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
        # The mocks put the stack's type before the others, and keep only the last one of a parent's types.
        above = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if above == STACK_TYPE else f"{above}${type_}"
        return "urn:pulumi:" + "::".join([get_stack(), get_project(), qualified, name])

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        if refused := [name for name in _REFUSED_OPTIONS if getattr(request, name)]:
            raise NotImplementedError(f"{request.name}: the test engine knows no option {', '.join(refused)}")
        done = self.deployment.register(
            _goal(request, self.make_urn(request.parent, request.type, request.name))
        )
        outputs = json_format.ParseDict(done.outputs if done.custom else {}, struct_pb2.Struct())
        return resource_pb2.RegisterResourceResponse(urn=done.urn, id=done.id, object=outputs)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        self.run.set_outputs(request.urn, json_format.MessageToDict(request.outputs))
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        raise NotImplementedError(f"the test engine cannot call {request.tok}")

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        raise NotImplementedError(f"the test engine cannot read {request.name}")


def run_program(
    folder: Path,
    config: Mapping[str, str],
    deployment: Deployment,
    run: Run,
    *,
    project: str,
    stack: str,
) -> None:
    """Run the `__main__.py` of a folder to its end and record the stack's outputs.

    Raises:
        BaseException: Whatever ended the program, StoppedError of a step included.
    """

    def main() -> None:
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    monitor = PerformingMonitor(deployment, run)
    logger = logging.getLogger("pulumi-program")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    sys.path.insert(0, str(folder))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # Registrations wait here for their hosts; the default of a small machine would be six at a time.
    loop.set_default_executor(ThreadPoolExecutor(PARALLEL))
    # What a failed registration leaves behind has been reported already.
    loop.set_exception_handler(lambda *_: None)
    set_mocks(
        monitor.mocks, project=project, stack=stack, preview=run.preview, monitor=monitor, logger=logger
    )
    set_all_config(dict(config), [])
    # The program has a process of its own under the real engine: its signals are not this one's.
    with patch.object(signal, "signal"):
        loop.run_until_complete(run_pulumi_func(main))
    root = get_root_resource()
    assert isinstance(root, Stack)

    async def record() -> None:
        urn = await root.urn.future()
        outputs = await serialize_properties(root.outputs, {})
        run.set_outputs(str(urn), json_format.MessageToDict(outputs))

    loop.run_until_complete(record())


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
