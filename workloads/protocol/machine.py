"""Describes the machine that something is measured on; uses only the standard library."""

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEASURED_PACKAGES = ("numpy", "numba", "ray")
VCGENCMD_TIMEOUT_S = 5
# Where Raspberry Pi's kernel shows the firmware's flags, hex without 0x; a container sees it, too. It is in
# soc/soc:firmware on a Pi 4; other models may have it elsewhere. The kernel asks every two seconds and lets
# the firmware forget what was before: these flags are those of the last seconds, not all since the boot.
# https://github.com/raspberrypi/linux/blob/rpi-6.6.y/drivers/firmware/raspberrypi.c
# https://github.com/raspberrypi/linux/blob/rpi-6.6.y/drivers/hwmon/raspberrypi-hwmon.c
FIRMWARE_FLAGS = ("*firmware*/get_throttled", "*/*firmware*/get_throttled")
TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"


def machine_facts(root: Path = Path("/")) -> dict[str, Any]:
    """Describe this machine as JSON values; a fact that cannot be found is None.

    Nothing personal: no host name, no user name, no path. A cluster names its own nodes.

    Args:
        root: Where /proc, /sys and /etc are found.

    Returns:
        model, arch, cores (usable by this process), memory_mib, os, kernel, python, versions (installed
        packages only), load_average (1, 5, 15 minutes), and what `condition` says.
    """
    return {
        "model": _model(root),
        "arch": platform.machine(),
        "cores": usable_cores(root),
        "memory_mib": _memory_mib(root),
        "os": _os_name(root),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "load_average": _load_average(),
        **condition(root),
    }


def condition(root: Path = Path("/")) -> dict[str, Any]:
    """Say how the machine is at this moment, which may change during a run; None is unknown.

    Args:
        root: Where /sys is found.

    Returns:
        throttled (the flags of a Raspberry Pi as hex text: "0x0" is good, bits 0-3 say what slows it down
        now, bits 16-19 what did before) and temperature_c (degrees Celsius of the processor).

    Source: https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
    """
    # The firmware's own tool knows more, but a container lacks it.
    return {
        "throttled": _firmware_flags() or _kernel_flags(root),
        "temperature_c": _temperature_c(root),
    }


def _model(root: Path) -> str | None:
    """Return the board's name (Raspberry Pi) or else the processor's."""
    # The device tree ends its strings with a null byte.
    board = _read(root / "proc/device-tree/model").rstrip("\0").strip()
    if board:
        return board
    # A container sees no device tree. Raspberry Pi's kernel has the board here, others on arm64 have nothing.
    name = re.search(r"^(?:Model|model name)\s*:\s*(.+)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    if name:
        return name.group(1).strip()
    processor = platform.processor()
    return processor if processor not in ("", platform.machine()) else None


def usable_cores(root: Path = Path("/")) -> int:
    """Return how many cores this process may use: by its affinity, and by the quota of its container.

    A quota is of whole cores here: 2.5 are 2, and less than one is one. Ray counts as much in a container.

    Args:
        root: Where /proc and /sys are found.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *map(int, _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the cores that each control group around this process may use at most, where it has a limit.

    A container sees its own group as the root; without a namespace of its own, it has a longer path.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), and for version 1
    https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us)
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / ("sys/fs/cgroup/cpu" if controllers else "sys/fs/cgroup")
        inner = Path(path.lstrip("/"))
        # A path that leads out of what this process sees (/../…) has no files here.
        for group in (inner, *inner.parents):
            yield from _quota(mount / group)


def _quota(group: Path) -> Iterator[float]:
    limit = re.fullmatch(r"(\d+) (\d+)", _read(group / "cpu.max").strip())
    if not limit:
        text = f"{_read(group / 'cpu.cfs_quota_us').strip()} {_read(group / 'cpu.cfs_period_us').strip()}"
        # A quota of -1 is none.
        limit = re.fullmatch(r"(\d+) (\d+)", text)
    if limit and int(limit.group(2)):
        yield int(limit.group(1)) / int(limit.group(2))


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


def _kernel_flags(root: Path) -> str | None:
    """Read the flags that Raspberry Pi's kernel shows; None with any other kernel."""
    for pattern in FIRMWARE_FLAGS:
        for path in sorted((root / "sys/devices/platform").glob(pattern)):
            flags = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{1,8})", _read(path).strip())
            if flags:
                return hex(int(flags.group(1), 16))
    return None


def _temperature_c(root: Path) -> float | None:
    """Read the processor's temperature, which the kernel keeps in thousandths of a degree."""
    text = _read(root / TEMPERATURE).strip()
    return round(int(text) / 1000, 1) if re.fullmatch(r"-?\d+", text) else None


def _firmware_flags() -> str | None:
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
