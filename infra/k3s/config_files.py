"""What k3s reads and writes: text of config.yaml, and the kubeconfig others use. Pure; no Pulumi."""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from infra.names import KUBERNETES_API_PORT

_HEADER = "# Managed by Pulumi; edits are overwritten.\n"

# Ray's Services are ClusterIP and the runner port-forwards: neither an ingress nor a load balancer may open a
# port on the network of the Pis.
_DISABLED = ["traefik", "servicelb"]


def render_server_config(
    name: str,
    address: str,
    server_addresses: Sequence[str],
    *,
    join: str | None = None,
    token: str | None = None,
    agent_token: str | None = None,
) -> str:
    """Render /etc/rancher/k3s/config.yaml of a server.

    Everything but the host's own name, its address and how it joins is the same on all servers, as k3s
    demands: https://docs.k3s.io/cli/server#critical-configuration-values

    Args:
        name: Name of the Node.
        address: IP address of the host.
        server_addresses: IP addresses of all servers, this one included; more than one means embedded etcd.
        join: IP address of the first server; None for the first server itself, whose script adds the
            tokens it makes.
        token: Server token with the sum of the CA, `K10<sum>::server:<password>`. Secret; only with `join`.
        agent_token: Bare agent token that all servers share. Secret; only with `join`.
    """
    values: dict[str, Any] = {
        "node-name": name,
        "node-ip": address,
        "tls-san": list(server_addresses),
        "disable": _DISABLED,
        "secrets-encryption": True,
        # One Pi downloads the Ray image, or gets it from the user's machine; the others take it from there.
        "embedded-registry": True,
        "write-kubeconfig-mode": "0600",
    }
    if join is None:
        if len(server_addresses) > 1:
            values["cluster-init"] = True
    else:
        values["server"] = api_endpoint(join)
        values["token"] = token
        values["agent-token"] = agent_token
    return _render(values)


def render_agent_config(name: str, address: str, *, join: str, token: str) -> str:
    """Render /etc/rancher/k3s/config.yaml of an agent.

    Args:
        name: Name of the Node.
        address: IP address of the host.
        join: IP address of the first server.
        token: Agent token with the sum of the CA, `K10<sum>::node:<password>`. Secret.
    """
    return _render({"node-name": name, "node-ip": address, "server": api_endpoint(join), "token": token})


def render_registry_entries(
    registry: str, *, plain_http: bool = False, ca_file: str | None = None
) -> tuple[str, str]:
    """Render a line for `mirrors` and one for `configs` in /etc/rancher/k3s/registries.yaml.

    A registry that is named there is one whose images the Nodes give each other, too.
    https://docs.k3s.io/installation/private-registry, https://docs.k3s.io/installation/registry-mirror

    Args:
        registry: Host, with its port if it has one, as images name it.
        plain_http: Whether it speaks HTTP without TLS.
        ca_file: File on the host with the registry's own authority; None for one that everybody knows.

    Returns:
        Both lines without indentation; the second one is empty if nothing has to be said.
    """
    mirror = {"endpoint": [f"http://{registry}"]} if plain_http else {}
    config = json.dumps({"tls": {"ca_file": ca_file}}) if ca_file else ""
    return f'"{registry}": {json.dumps(mirror)}', f'"{registry}": {config}' if config else ""


def api_endpoint(address: str) -> str:
    """URL of the Kubernetes API, and of k3s's join service, at a server."""
    host = f"[{address}]" if ":" in address else address
    return f"https://{host}:{KUBERNETES_API_PORT}"


def render_kubeconfig(text: str, address: str, name: str) -> str:
    """Render the kubeconfig for use from elsewhere.

    Args:
        text: Kubeconfig as k3s wrote it: at 127.0.0.1, everything named "default".
        address: IP address of a server.
        name: New name of cluster, user and context, so that it can be merged with others.
    """
    config = yaml.safe_load(text)
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {**cluster, "server": api_endpoint(address)}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {**context, "cluster": name, "user": name}}],
            "current-context": name,
        },
        sort_keys=False,
    )


def _named(entries: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _render(values: dict[str, Any]) -> str:
    # Tokens are quoted whatever they look like: k3s.sh finds them by that form. A name such as 1e3 is a
    # number to k3s's YAML reader, though not to Python's writer.
    lines = {
        key: f'{key}: "{values.pop(key)}"\n' for key in ("node-name", "token", "agent-token") if key in values
    }
    name = lines.pop("node-name")
    return _HEADER + name + yaml.safe_dump(values, sort_keys=False) + "".join(lines.values())
