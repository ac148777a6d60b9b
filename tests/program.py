"""Runs `__main__.py` under Pulumi's mocks and keeps what it registered, with secrets and dependencies."""

import os
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from google.protobuf import json_format
from pulumi.runtime import MockResourceArgs, Mocks
from pulumi.runtime.mocks import MockMonitor

from sandbox.engine.program.answers import RAY_TOKEN, Answers
from sandbox.engine.program.under_mocks import run_under_mocks
from sandbox.engine.stack.files import ROOT
from sandbox.engine.stack.resource import STACK_TYPE
from sandbox.engine.wire.marks import SECRET, SIGNATURE

MAIN = ROOT / "__main__.py"
# What the answers of hosts keep secret.
SECRETS = ("server-secret", "agent-secret", "S0VZLU9GLVRIRS1BRE1JTg==", RAY_TOKEN)


@dataclass(frozen=True)
class Secret:
    """A value that travelled as a secret."""

    value: Any


@dataclass(frozen=True)
class Registered:
    """One resource as the engine was asked to register it."""

    urn: str
    type: str
    name: str
    parent: str
    inputs: Mapping[str, Any]
    dependencies: frozenset[str]
    request: Any


@dataclass
class Program:
    """Everything that one run of the program registered, in order, and the outputs of its stack."""

    resources: list[Registered] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def named(self, name: str) -> Registered:
        (found,) = [resource for resource in self.resources if resource.name == name]
        return found

    def of_type(self, part: str) -> list[Registered]:
        return [resource for resource in self.resources if part in resource.type]

    def comes_after(self, later: Registered, earlier: Registered) -> bool:
        """Say whether the engine has to finish `earlier` before it starts `later`."""
        by_urn = {resource.urn: resource for resource in self.resources}
        seen: set[str] = set()
        waiting = [later.urn]
        while waiting:
            resource = by_urn.get(waiting.pop())
            if resource is None:
                continue
            provider = resource.request.provider.rsplit("::", 1)[0]
            # A child is registered when its component is, and deleted before it.
            for urn in {*resource.dependencies, resource.parent, provider} & by_urn.keys() - seen:
                seen.add(urn)
                waiting.append(urn)
        return earlier.urn in seen


class RecordingMonitor(MockMonitor):
    """Pulumi's mock monitor, which also keeps every request."""

    def __init__(self, mocks: Mocks) -> None:
        super().__init__(mocks)
        self.program = Program()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        if request.type != STACK_TYPE:
            self.program.resources.append(
                Registered(
                    urn=self.make_urn(request.parent, request.type, request.name),
                    type=request.type,
                    name=request.name,
                    parent=request.parent,
                    inputs=decode(json_format.MessageToDict(request.object)),
                    dependencies=frozenset(request.dependencies),
                    request=request,
                )
            )
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's mocks have no types

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        if request.urn.split("::")[2] == STACK_TYPE:
            self.program.outputs = decode(json_format.MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def decode(value: Any) -> Any:
    """Turn the wire format into plain values, with Secret around what is secret."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return Secret(decode(value.get("value")))
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    # Protobuf has no other numbers than floats.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def plain_texts(value: Any) -> Iterator[str]:
    """Yield every text in decoded inputs that is not inside a secret, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from plain_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from plain_texts(item)


def reveal(value: Any) -> Any:
    """Return decoded inputs with the values of secrets in place."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def run_program(
    config: Mapping[str, str],
    *,
    stack: str,
    preview: bool,
    answer: Callable[[MockResourceArgs], Mapping[str, Any]] = lambda _: {},
) -> Program:
    """Run the program as `pulumi preview` or `pulumi up` would, with answers in place of the providers."""
    monitor = RecordingMonitor(Answers(answer))
    # A Ray and an SSH agent of the developer's own are none of the program's business here.
    environment = patch.dict(os.environ, {"XDG_STATE_HOME": os.devnull, "SSH_AUTH_SOCK": "/agent"})
    agent = patch.multiple("infra.remote.agent", answers=lambda _: True, read_keys=lambda _: ["SHA256:one"])
    with environment, agent:
        run_under_mocks(
            lambda: runpy.run_path(str(MAIN), run_name="__main__"),
            monitor,
            config,
            stack=stack,
            preview=preview,
            secret_keys=["piray:sshPrivateKey"],
        )
    return monitor.program
