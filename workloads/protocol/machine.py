"""Describes the machine on which something was measured; uses only the standard library."""

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

MEASURED_PACKAGES = ("numpy", "numba", "ray")
VCGENCMD_TIMEOUT_S = 5


def machine_facts(root: Path = Path("/")) -> dict[str, Any]:
    """Describe this machine as JSON values; a fact that cannot be found is None.

    Nothing personal: no host name, no user name, no path. A cluster names its own nodes.

    Args:
        root: Where /proc and /etc are found.

    Returns:
        model, arch, cores (usable by this process), memory_mib, os, kernel, python, versions (installed
        packages only), load_average (1, 5, 15 minutes), throttled (the flags of a Raspberry Pi as hex text:
        "0x0" is good, bits 0-3 say what slows it down now, bits 16-19 what did since boot).

    Source: https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
    """
    return {
        "model": _model(root),
        "arch": platform.machine(),
        "cores": _cores(),
        "memory_mib": _memory_mib(root),
        "os": _os_name(root),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "load_average": _load_average(),
        "throttled": _throttled(),
    }


def _model(root: Path) -> str | None:
    """Return the board's name (Raspberry Pi) or else the processor's."""
    # The device tree ends its strings with a null byte; arm64 has no "model name" in cpuinfo.
    board = _read(root / "proc/device-tree/model").rstrip("\0").strip()
    if board:
        return board
    name = re.search(r"^model name\s*:\s*(.+)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    return name.group(1).strip() if name else platform.processor() or None


def _cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_mib(root: Path) -> int | None:
    total = re.search(r"^MemTotal:\s*(\d+) kB$", _read(root / "proc/meminfo"), re.MULTILINE)
    return int(total.group(1)) // 1024 if total else None


def _os_name(root: Path) -> str:
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)"?$', _read(root / "etc/os-release"), re.MULTILINE)
    return name.group(1) if name else platform.system()


def _versions() -> dict[str, str]:
    versions = {}
    for package in MEASURED_PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _load_average() -> list[float] | None:
    try:
        return [round(load, 2) for load in os.getloadavg()]
    except OSError:
        return None


def _throttled() -> str | None:
    """Ask a Raspberry Pi's firmware; None anywhere else, a container included."""
    try:
        answer = subprocess.run(
            ["vcgencmd", "get_throttled"],
            capture_output=True,
            text=True,
            timeout=VCGENCMD_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    flags = re.fullmatch(r"throttled=(0x[0-9a-fA-F]+)", answer.stdout.strip())
    return flags.group(1) if flags else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
