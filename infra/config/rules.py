"""Rules between the fields of a stack's configuration; each looks only at what could be read.

Works on the dicts of `infra/config/reader.py`, in which a field with a mistake is missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.config.problems import ABSENT, HIDDEN, ProblemList
from infra.config.ray_rules import check_local_ray, check_ray
from infra.config.room import check_room
from infra.config.unique import check_unique
from infra.config.values.addresses import check_addresses
from infra.config.values.fields import MAX_EXACT_INT, MAX_LOCAL_WORKERS
from infra.config.values.ssh_keys import scan_remedy

_PI_ONLY = ("hosts", "ssh", "sshPrivateKey", "sudoPassword", "registryPassword", "k3s", "piJob")


def check_rules(tree: Mapping[str, Any], raw: Mapping[str, object], problems: ProblemList) -> None:
    """Check everything that takes more than one field to see.

    Args:
        tree: The fields that could be read.
        raw: Top-level key → decoded value as given, to tell what was given from what is a default.
        problems: Gets every broken rule.
    """
    _check_pi_job(tree.get("pi_job", {}), problems)
    if tree.get("platform") == "local":
        _check_local(tree, raw, problems)
        return
    hosts = tree.get("hosts", [])
    check_unique(
        hosts,
        ("hosts",),
        "name",
        "Give every Pi its own hostname: k3s takes two of one name for the same node.",
        problems,
    )
    check_unique(hosts, ("hosts",), "address", "Give every Pi its own address.", problems)
    check_addresses(hosts, problems)
    if tree.get("insecure_host_keys") is False:
        _check_host_keys(hosts, tree.get("ssh", {}).get("port"), problems)
        _check_proxy_key(tree.get("ssh", {}).get("proxy"), problems)
    if tree.get("platform") == "pi" and "hosts" in tree and all("role" in host for host in hosts):
        _check_servers([host["role"] for host in hosts], problems)
    if tree.get("platform") == "pi":
        _check_user(tree, problems)
    check_ray(tree, problems)
    check_room(tree, problems)


def _check_pi_job(job: Mapping[str, Any], problems: ProblemList) -> None:
    completions, parallelism, samples = (job.get(name) for name in ("completions", "parallelism", "samples"))
    if completions and parallelism and parallelism > completions:
        problems.add(
            ("piJob", "parallelism"),
            parallelism,
            f"is more than the {completions} completions, so some pods would have nothing to do",
            f"Give at most {completions}, or raise piray:piJob.completions.",
        )
    if completions and samples and completions * samples > MAX_EXACT_INT:
        problems.add(
            ("piJob", "samples"),
            samples,
            f"makes {completions * samples} samples in {completions} completions, more than 2^53 - 1, "
            "beyond which counts are no longer exact",
            f"Give at most {MAX_EXACT_INT // completions}.",
        )


def _check_local(tree: Mapping[str, Any], raw: Mapping[str, object], problems: ProblemList) -> None:
    remedy = "Delete it, or set piray:platform to pi."
    for key in _PI_ONLY:
        if raw.get(key):
            problems.add(
                (key,), HIDDEN, "has no meaning on platform local, which uses this machine alone", remedy
            )
    if tree.get("workers", 0) > MAX_LOCAL_WORKERS:
        problems.add(
            ("workers",),
            tree["workers"],
            "is too many for one machine, where each worker is a set of processes of its own",
            f"Give at most {MAX_LOCAL_WORKERS}; more workers than the machine has cores gain nothing.",
        )
    if tree.get("insecure_host_keys"):
        problems.add(("insecureHostKeys",), True, "has no meaning on platform local", remedy)
    check_local_ray(tree, problems)
    if any((tree.get("ray", {}).get("image") or {}).get(key) for key in ("source", "reference", "file")):
        problems.add(
            ("ray", "image"), HIDDEN, "has no meaning on platform local, which runs no container", remedy
        )


def _check_user(tree: Mapping[str, Any], problems: ProblemList) -> None:
    """Check that it is known who logs in on every host, and on the way to them."""
    ssh, hosts = tree.get("ssh", {}), tree.get("hosts", [])
    if "user" not in ssh or ssh["user"] is not None:
        return
    lacking = any("user" in host and host["user"] is None for host in hosts)
    proxy = ssh.get("proxy") or {}
    if lacking or ("user" in proxy and proxy["user"] is None):
        problems.add(
            ("ssh", "user"),
            ABSENT,
            "is missing, and since 2022 a Raspberry Pi has no default user",
            "Give the user that you made when you wrote the card (`whoami` prints it on the Pi).",
        )


def _check_proxy_key(proxy: Mapping[str, Any] | None, problems: ProblemList) -> None:
    if proxy and "host_key" in proxy and proxy["host_key"] is None:
        problems.add(
            ("ssh", "proxy", "hostKey"),
            ABSENT,
            "is missing: without it anyone who answers at the address could listen and log in for you",
            scan_remedy(proxy.get("address", "ADDRESS"), proxy.get("port"))
            + ". On a network that you trust, `piray:insecureHostKeys: true` makes it optional.",
        )


def _check_host_keys(hosts: Sequence[Mapping[str, Any]], port: int | None, problems: ProblemList) -> None:
    for index, host in enumerate(hosts):
        # An entry that is no object has no fields at all, and its own problem.
        if host and "host_key" in host and host["host_key"] is None:
            problems.add(
                ("hosts", index, "hostKey"),
                ABSENT,
                "is missing: without it anyone who answers at the address would be trusted with root",
                scan_remedy(host.get("address", "ADDRESS"), host.get("port") or port)
                + ". On a network that you trust, `piray:insecureHostKeys: true` makes it optional.",
            )


def _check_servers(roles: Sequence[str], problems: ProblemList) -> None:
    servers = roles.count("server")
    if servers == 0:
        problems.add(
            ("hosts",),
            ABSENT,
            "has no server, and Kubernetes needs one",
            "Give one host the role server; a single Pi is a server, too, and then runs the workers itself.",
        )
    elif servers % 2 == 0:
        problems.add(
            ("hosts",),
            ABSENT,
            f"has {servers} servers: etcd needs more than half of them alive, so {servers} survive "
            f"no more losses than {servers - 1}",
            f"Use {servers - 1} or {servers + 1} servers.",
        )
