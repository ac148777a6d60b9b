"""Measures wall time and describes the machine it was measured on; uses only the standard library.

The words are pyperf's: a *value* is the time of one call (of `loops` calls, divided by their number), a
*warmup* is a value kept apart because caches and compilers were cold, a *run* is all of them together.
"""

import importlib.metadata
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEASURED_PACKAGES = ("numpy", "numba", "ray")
VCGENCMD_TIMEOUT_S = 5


@dataclass(frozen=True)
class Measurement:
    """Wall times of one run.

    Attributes:
        values: Seconds of each call, in order; at least one.
        warmups: Seconds of the calls before, in order.
        loops: Calls that each value and each warmup is the mean of.
        unit: Always "second".

    Raises:
        ValueError: If there is no value.
    """

    values: tuple[float, ...]
    warmups: tuple[float, ...] = ()
    loops: int = 1
    unit: str = "second"

    def __post_init__(self) -> None:
        """Refuse a run without a value: it has no median."""
        if not self.values:
            raise ValueError("A measurement without a value has no median: measure at least one.")

    @property
    def median(self) -> float:
        """Median of the values, in seconds."""
        return statistics.median(self.values)

    @property
    def min(self) -> float:
        """Smallest value, in seconds."""
        return min(self.values)

    @property
    def max(self) -> float:
        """Largest value, in seconds."""
        return max(self.values)


def repeat(function: Callable[[], object], values: int, warmups: int = 1, loops: int = 1) -> Measurement:
    """Call a function again and again and time each call by the wall clock.

    Args:
        function: What is measured; its result is dropped.
        values: How many values to take, at least 1.
        warmups: How many values to take and keep apart before them.
        loops: How many calls make one value, for functions too short for the clock.

    Raises:
        ValueError: If a number is too small.
    """
    if values < 1 or warmups < 0 or loops < 1:
        raise ValueError(
            f"values is {values}, warmups is {warmups}, loops is {loops}: "
            "choose at least 1 value, 0 warmups and 1 loop."
        )
    warmup_times = tuple(_time(function, loops) for _ in range(warmups))
    return Measurement(tuple(_time(function, loops) for _ in range(values)), warmup_times, loops)


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
        "cores": usable_cores(),
        "memory_mib": _memory_mib(root),
        "os": _os_name(root),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "load_average": _load_average(),
        "throttled": _throttled(),
    }


def _time(function: Callable[[], object], loops: int) -> float:
    begin = time.perf_counter()
    for _ in range(loops):
        function()
    return (time.perf_counter() - begin) / loops


def _model(root: Path) -> str | None:
    """Return the board's name (Raspberry Pi) or else the processor's."""
    # The device tree ends its strings with a null byte; arm64 has no "model name" in cpuinfo.
    board = _read(root / "proc/device-tree/model").rstrip("\0").strip()
    if board:
        return board
    name = re.search(r"^model name\s*:\s*(.+)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    return name.group(1).strip() if name else platform.processor() or None


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
