"""What this machine lacks for the sandbox."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.user_cache import cache_directory
from sandbox.machine.runtime import runtime_directory

# Program and the Debian package that has it.
_PROGRAMS = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "docker-registry": "docker-registry",
    "openssl": "openssl",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
# Three hosts with Kubernetes and Ray were seen to take less than 4 GiB; building Kubernetes takes 4.
_MEMORY_MIB = 7 * 1024
# Images, binaries, what Go keeps while it builds, and the hosts' own disks.
_DISK_MIB = 30 * 1024


def missing() -> list[str]:
    """Return why the sandbox cannot run here, each reason with its remedy; empty where it can."""
    if sys.platform != "linux":
        return [f"this is {sys.platform}: the sandbox's hosts are Linux containers; use a Linux machine"]
    reasons = []
    if os.geteuid() != 0:
        reasons.append("not root: the sandbox makes containers, a network and mounts; run it as root")
    absent = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if absent:
        names = " ".join(sorted(absent))
        reasons.append(f"programs are missing; run: apt-get install --no-install-recommends {names}")
    memory = _memory_mib(Path("/proc/meminfo").read_text())
    if memory < _MEMORY_MIB:
        reasons.append(f"{memory} MiB of memory: three hosts with Ray need {_MEMORY_MIB} MiB")
    for folder, variable in ((cache_directory(), "PIRAY_CACHE"), (runtime_directory(), "PIRAY_SANDBOX")):
        free = _free_mib(folder)
        if free < _DISK_MIB and not (folder / "sandbox").is_dir():
            reasons.append(
                f"{folder} has {free} MiB free: {_DISK_MIB} are needed; {variable} names another place"
            )
    return reasons


def _memory_mib(meminfo: str) -> int:
    values: Mapping[str, str] = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    return int(values["MemTotal"].split()[0]) // 1024


def _free_mib(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 2**20
