"""The stack file for simulated Pis: pure text, the same keys that a user writes for real ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from sandbox.machine.runtime import SUFFIX

# Any but the usual sandbox has its number behind that.
STACK = f"sandbox{SUFFIX}"

_HEADER = "# Made by `make sandbox` for its simulated Pis; `make sandbox-down` removes it.\n"

# All simulated Pis share one machine: the smallest shares with which Ray and the π Job still run.
_RAY = {"headCpus": 1, "headMemoryMib": 2048, "workerCpus": 1, "workerMemoryMib": 1536}
_SAMPLES = 2_000_000


@dataclass(frozen=True, kw_only=True)
class StackHost:
    """One host of the stack.

    Attributes:
        name: Name of the host, and of its Node.
        address: IP address.
        host_key: Public key of its SSH server, `<type> <base64>`.
        role: "server" or "agent".
        port: Port of its SSH server; None for the usual one.
    """

    name: str
    address: str
    host_key: str
    role: str
    port: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where a stack's software comes from.

    Attributes:
        arch: Processor of the hosts, "arm64" or "amd64".
        image: Name of the Ray image, as the hosts pull it.
        mirror: URL of the directory with the k3s releases; None for the real ones.
        install_script_sha256: Sum of the mirror's install script; None for the pinned one.
        version: k3s release; None for the program's default.
        plain_http: Whether the image's registry speaks HTTP without TLS.
        operator_image: Name of the KubeRay operator's image; None for that of its release.
    """

    arch: str
    image: str
    mirror: str | None = None
    install_script_sha256: str | None = None
    version: str | None = None
    plain_http: bool = False
    operator_image: str | None = None


def stack_config(
    hosts: Sequence[StackHost],
    key_file: Path,
    sources: Sources,
    *,
    workers: int = 2,
    runtime_packages: Sequence[str] = (),
    proxy: StackHost | None = None,
    ray: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the configuration of the stack, every key with its namespace.

    Args:
        hosts: The hosts, servers among them.
        key_file: Private SSH key of user pi.
        sources: Where image and k3s come from.
        workers: Number of Ray workers; nothing where `ray` has groups of them.
        runtime_packages: What the image lacks.
        proxy: The jump host; None where the hosts are reached directly.
        ray: Keys of `ray` besides those that every stack on simulated Pis has.
    """
    ssh: dict[str, Any] = {"user": "pi", "privateKeyFile": str(key_file)}
    if proxy is not None:
        ssh["proxy"] = {"address": proxy.address, "hostKey": proxy.host_key}
    k3s = {
        "version": sources.version,
        "mirror": sources.mirror,
        "installScriptSha256": sources.install_script_sha256,
    }
    image = {"reference": sources.image, "plainHttp": True} if sources.plain_http else sources.image
    packages = {"runtimePackages": list(runtime_packages)} if runtime_packages else {}
    values = {
        "platform": "pi",
        "arch": sources.arch,
        "hosts": [_entry(host) for host in hosts],
        "ssh": ssh,
        "k3s": {key: value for key, value in k3s.items() if value is not None},
        **({} if "groups" in ray else {"workers": workers}),
        "ray": {"image": image, **_RAY, **packages, **ray, **_operator(sources, ray)},
        "piJob": {"completions": 3, "parallelism": 3, "samples": _SAMPLES},
    }
    return {f"piray:{key}": value for key, value in values.items()}


def _operator(sources: Sources, ray: Mapping[str, Any]) -> dict[str, Any]:
    if sources.operator_image is None or ray.get("mode") != "kuberay":
        return {}
    return {"operator": {"image": sources.operator_image, **ray.get("operator", {})}}


def _entry(host: StackHost) -> dict[str, Any]:
    entry = {"name": host.name, "address": host.address, "role": host.role, "hostKey": host.host_key}
    return entry if host.port is None else {**entry, "port": host.port}


def stack_text(config: dict[str, Any]) -> str:
    """Return the text of the stack file."""
    return _HEADER + yaml.safe_dump({"config": config}, sort_keys=False)
