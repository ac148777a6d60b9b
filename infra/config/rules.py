"""Rules between the fields of a stack's configuration; each looks only at what could be read.

Works on the dicts of `infra/config/reader.py`, in which a field with a mistake is missing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from infra.config.fields import MAX_EXACT_INT, MAX_LOCAL_WORKERS, image_name_and_tag
from infra.config.problems import ABSENT, HIDDEN, ProblemList
from infra.config.ssh_keys import SCAN_REMEDY

# What k3s takes on a Pi 4 (server with etcd 896 MB, agent 256 MB) and room for the system itself.
# https://docs.k3s.io/reference/resource-profiling
RESERVE_MIB = {"server": 1024, "agent": 512}

OFFICIAL_IMAGE = "rayproject/ray"
_PI_ONLY = ("hosts", "ssh", "sshPrivateKey", "k3s", "piJob")
_MAX_HOSTS_SHOWN = 8


class _Room(NamedTuple):
    """Memory of one host: what it has, None where it was not given, and what is left for pods."""

    name: str
    role: str
    memory_mib: int | None
    position: int

    @property
    def free_mib(self) -> int:
        assert self.memory_mib is not None
        return max(0, self.memory_mib - RESERVE_MIB[self.role])


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
    _check_unique(
        hosts,
        "name",
        "Give every Pi its own hostname: k3s takes two of one name for the same node.",
        problems,
    )
    _check_unique(hosts, "address", "Give every Pi its own address.", problems)
    if tree.get("insecure_host_keys") is False:
        _check_host_keys(hosts, problems)
    if tree.get("platform") == "pi" and "hosts" in tree and all("role" in host for host in hosts):
        _check_servers([host["role"] for host in hosts], problems)
    _check_image(tree, problems)
    _check_memory(tree, problems)


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
    if image := tree.get("ray", {}).get("image"):
        problems.add(
            ("ray", "image"), image, "has no meaning on platform local, which runs no container", remedy
        )


def _check_unique(hosts: Sequence[Mapping[str, Any]], field: str, remedy: str, problems: ProblemList) -> None:
    first: dict[str, int] = {}
    for index, host in enumerate(hosts):
        if (value := host.get(field)) is None:
            continue
        if value in first:
            problems.add(
                ("hosts", index, field), value, f"is also the {field} of hosts[{first[value]}]", remedy
            )
        else:
            first[value] = index


def _check_host_keys(hosts: Sequence[Mapping[str, Any]], problems: ProblemList) -> None:
    for index, host in enumerate(hosts):
        # An entry that is no object has no fields at all, and its own problem.
        if host and "host_key" in host and host["host_key"] is None:
            problems.add(
                ("hosts", index, "hostKey"),
                ABSENT,
                "is missing: without it anyone who answers at the address would be trusted with root",
                SCAN_REMEDY.format(address=host.get("address", "ADDRESS"))
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


def registry_of(image: str) -> str | None:
    """Return the registry that an image reference names; None where it names none.

    >>> registry_of("192.168.1.5:5000/ray:1"), registry_of("rayproject/ray:2.60.0")
    ('192.168.1.5:5000', None)
    """
    first, slash, _ = image.partition("/")
    return first if slash and (set(".:") & set(first) or first == "localhost") else None


def _check_image(tree: Mapping[str, Any], problems: ProblemList) -> None:
    ray = tree.get("ray", {})
    image, version, arch = ray.get("image"), ray.get("version"), tree.get("arch")
    if not image or not version or not arch:
        return
    if ray.get("image_registry_plain_http") and registry_of(image) is None:
        problems.add(
            ("ray", "imageRegistryPlainHttp"),
            True,
            f"has no meaning for {image}, which names no registry of your own",
            "Delete it, or give ray.image with the registry's address, as in 192.168.1.5:5000/ray:1.",
        )
    name, tag = image_name_and_tag(image)
    if name != OFFICIAL_IMAGE or tag is None:
        return
    remedy = "Delete the line to get the right official image."
    if tag.split("-")[0] != version:
        problems.add(
            ("ray", "image"), image, f"is not of Ray {version}, the version of piray:ray.version", remedy
        )
    # The official tags are not multi-arch: without the suffix the image is for amd64.
    if tag.endswith("-aarch64") != (arch == "arm64"):
        problems.add(
            ("ray", "image"),
            image,
            f"is not for {arch}: only tags with -aarch64 at their end are arm64",
            remedy,
        )


def _check_memory(tree: Mapping[str, Any], problems: ProblemList) -> None:
    """Check that the head and all workers have a place, as far as the memory of the hosts is known."""
    ray, workers, hosts = tree.get("ray", {}), tree.get("workers"), tree.get("hosts", [])
    head_mib, worker_mib = ray.get("head_memory_mib"), ray.get("worker_memory_mib")
    if not hosts or not all("role" in host and "memory_mib" in host for host in hosts):
        return
    rooms = [
        _Room(host.get("name", "a host"), host["role"], host["memory_mib"], position)
        for position, host in enumerate(hosts)
    ]
    # The text must not depend on the order of the hosts.
    rooms.sort(key=lambda room: (room.name, room.role, room.memory_mib or 0))
    if head_mib and all(room.memory_mib is not None for room in rooms):
        _check_head(rooms, head_mib, problems)
    if workers and worker_mib:
        _check_workers(rooms, workers, worker_mib, head_mib or 0, problems)


def _check_head(rooms: Sequence[_Room], head_mib: int, problems: ProblemList) -> None:
    roomiest = max(rooms, key=lambda room: room.free_mib)
    if roomiest.free_mib < head_mib:
        problems.add(
            ("ray", "headMemoryMib"),
            head_mib,
            f"fits on no host: {roomiest.name} has the most room, {roomiest.memory_mib} MiB less "
            f"{RESERVE_MIB[roomiest.role]} MiB for the system and k3s = {roomiest.free_mib} MiB",
            "Lower it, or add a Pi with more memory.",
        )


def _check_workers(
    rooms: Sequence[_Room], workers: int, worker_mib: int, head_mib: int, problems: ProblemList
) -> None:
    """Check that the workers fit on the agents beside a head that stands where it costs the fewest of them.

    Without agents they run on the servers. A host of unknown memory is taken to hold what is needed.
    """
    places = [room for room in rooms if room.role == "agent"] or rooms
    if any(room.memory_mib is None for room in places):
        return
    fits = {room: room.free_mib // worker_mib for room in places}
    beside_workers = [room for room in places if room.free_mib >= head_mib]
    elsewhere = any(
        room.memory_mib is None or room.free_mib >= head_mib for room in rooms if room not in fits
    )
    shared: _Room | None = None
    if beside_workers and not elsewhere:
        shared = max(beside_workers, key=lambda room: (room.free_mib - head_mib) // worker_mib - fits[room])
        fits[shared] = (shared.free_mib - head_mib) // worker_mib
    total = sum(fits.values())
    if total >= workers:
        return
    counts = ", ".join(f"{room.name} {count}" for room, count in list(fits.items())[:_MAX_HOSTS_SHOWN])
    more = ", …" if len(fits) > _MAX_HOSTS_SHOWN else ""
    reserve = RESERVE_MIB[places[0].role]
    head = f", and {head_mib} MiB for the head on {shared.name}" if shared else ""
    fewer = f"Give at most {total}, lower" if total else "Lower"
    problems.add(
        ("workers",),
        workers,
        f"do not fit: the {places[0].role}s hold {total} workers of {worker_mib} MiB ({counts}{more}), "
        f"with {reserve} MiB on each for the system and k3s{head}",
        f"{fewer} piray:ray.workerMemoryMib, or add a Pi.",
    )
