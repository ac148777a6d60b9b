"""Runs `__main__.py` under Pulumi's mocks and keeps what it registered, with secrets and dependencies."""

import asyncio
import contextvars
import json
import os
import runpy
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
from google.protobuf import json_format
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_root_resource, set_root_resource
from pulumi.runtime.stack import Stack, run_in_stack

from sandbox.engine.wire.marks import SECRET, SIGNATURE, UNKNOWN

MAIN = Path(__file__).resolve().parents[3] / "__main__.py"


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


class Answers(Mocks):
    """Outputs of resources, by the function a test gives; every resource gets its name as id."""

    def __init__(self, answer: Callable[[MockResourceArgs], Mapping[str, Any]]) -> None:
        self.answer = answer

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program called {args.token}; a preview would need its provider")

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return f"{args.name}-id", {**args.inputs, **self.answer(args)}


class RecordingMonitor(MockMonitor):
    """Pulumi's mock monitor, which also keeps every request."""

    def __init__(self, mocks: Mocks) -> None:
        super().__init__(mocks)
        self.program = Program()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        if request.type != "pulumi:pulumi:Stack":
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


def decode(value: Any) -> Any:
    """Turn the wire format into plain values, with Secret around what is secret."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return Secret(decode(value.get("value")))
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


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

    stacks: list[Any] = []

    def main() -> None:
        stacks.append(get_root_resource())
        runpy.run_path(str(MAIN), run_name="__main__")

    def run() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        set_mocks(Answers(answer), project="piray", stack=stack, preview=preview, monitor=monitor)
        set_all_config(dict(config), [key for key in config if key == "piray:sshPrivateKey"])
        # The mocks' own stack is that of a program which is over already.
        set_root_resource(None)  # type: ignore[arg-type]  # that of a new process
        loop.run_until_complete(run_in_stack(main))
        monitor.program.outputs = loop.run_until_complete(exported(*stacks))

    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        # A Ray of the developer's own is none of the program's business here.
        with patch.dict(os.environ, {"XDG_STATE_HOME": os.devnull}):
            contextvars.copy_context().run(run)
    finally:
        signal.signal(signal.SIGINT, on_interrupt)
    return monitor.program


async def exported(stack: Stack) -> dict[str, Any]:
    """Return the outputs of the stack, with Secret and UNKNOWN where they apply."""
    result: dict[str, Any] = {}
    for name, value in stack.outputs.items():
        output = pulumi.Output.from_input(value)
        known = await output.is_known()
        plain = await output.future() if known else UNKNOWN
        result[name] = Secret(plain) if await output.is_secret() else plain
    return result


def command_answer(args: MockResourceArgs) -> Mapping[str, Any]:
    """Answer as hosts and a cluster would that went through `up` without trouble."""
    if args.typ.startswith("kubernetes:"):
        metadata = args.inputs.get("metadata", {})
        return {"metadata": {"name": f"{args.name}-1a2b3c4d", **metadata}}
    if ":Command" not in args.typ:
        return {}
    host = args.name.removesuffix("-prepare")
    prepared = {"hostname": host, "machine_id": f"id-{host}", "boot_id": f"boot-{host}", "rebooting": True}
    said = {
        "prepare": json.dumps(prepared),
        "credentials": json.dumps(CREDENTIALS),
        "token": RAY_TOKEN,
        "local": json.dumps({"dashboardUrl": "http://127.0.0.1:8265"}),
    }
    return {"stdout": said.get(args.name.rsplit("-", 1)[-1], "{}"), "stderr": ""}


RAY_TOKEN = "5a" * 32
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: default, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: Q0E=}}]
contexts: [{name: default, context: {cluster: default, user: default}}]
current-context: default
users: [{name: default, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZLU9GLVRIRS1BRE1JTg==}}]
"""
CREDENTIALS = {
    "kubeconfig": KUBECONFIG,
    "server_token": "K10aaaa::server:server-secret",
    "agent_token_full": "K10aaaa::node:agent-secret",
    "agent_token": "agent-secret",
}
SECRETS = ("server-secret", "agent-secret", "S0VZLU9GLVRIRS1BRE1JTg==", RAY_TOKEN)
