"""What hosts and a cluster would answer that went through `up` without trouble."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks

RAY_TOKEN = "5a" * 32  # noqa: S105 — nobody's
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


class Answers(Mocks):
    """Outputs of resources by a function of the caller's; every resource gets its name as id.

    Args:
        answer: Returns what a resource has as outputs besides its inputs.
    """

    def __init__(self, answer: Callable[[MockResourceArgs], Mapping[str, Any]]) -> None:
        self.answer = answer

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Refuse: a program that calls providers would need them for a preview."""
        raise AssertionError(f"the program called {args.token}; a preview would need its provider")

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Return id and outputs of a resource."""
        return f"{args.name}-id", {**args.inputs, **self.answer(args)}


def command_answer(args: MockResourceArgs) -> Mapping[str, Any]:
    """Answer for one Command or object of Kubernetes; nothing for other resources."""
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
