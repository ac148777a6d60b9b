"""Whether piray's packages can run here, and what to install if not."""

import os
import platform
import re
import shutil
import sys
import sysconfig
from typing import List, NamedTuple, Optional, Tuple

OLDEST = (3, 11)
TOO_NEW = (3, 14)
# The oldest glibc that the wheels in requirements.lock allow; Numba's ask for most.
GLIBC = (2, 27)
# Ray has packages for these.
MACHINES = {"linux": ("x86_64", "aarch64"), "darwin": ("arm64",)}
WSL = "on Windows, install WSL2 (`wsl --install` in PowerShell as administrator) and run make in its Ubuntu"


class Machine(NamedTuple):
    """What decides whether the packages run: the Python that was started, and the system below it."""

    executable: str
    system: str
    machine: str
    is_64_bit: bool
    python: Tuple[int, int]
    implementation: str
    free_threaded: bool
    glibc: Optional[Tuple[int, int]]
    family: str
    has_venv: bool
    others: List[str]


def refusal(machine: Machine) -> Optional[str]:
    """Return why this machine or this Python cannot run piray and what to do, in one line; None if it can."""
    return _system_refusal(machine) or _python_refusal(machine)


def _system_refusal(machine: Machine) -> Optional[str]:
    if machine.system in ("win32", "cygwin", "msys"):
        return "Ray clusters need Linux or macOS: " + WSL
    if not machine.is_64_bit:
        return (
            f"{machine.executable} is a 32-bit program; Ray has no packages for 32-bit systems: "
            "use a computer with a 64-bit system, or install one on this computer"
        )
    machines = MACHINES.get(machine.system, ())
    if machine.machine not in machines:
        known = ", ".join(f"{one} on {system}" for system in MACHINES for one in MACHINES[system])
        return (
            f"this computer is {machine.machine} on {machine.system}; Ray has packages for {known} only: "
            "use one of these, for example a virtual machine"
        )
    if machine.system == "linux" and (machine.glibc is None or machine.glibc < GLIBC):
        found = "has none (Alpine, musl)" if machine.glibc is None else "has {}.{}".format(*machine.glibc)
        return (
            "Ray and Numba need glibc {}.{} or newer, and this system ".format(*GLIBC) + found + ": "
            "use Debian, Ubuntu or Fedora of the last years, for example in a container"
        )
    return None


def _python_refusal(machine: Machine) -> Optional[str]:
    version = "{}.{}".format(*machine.python)
    if machine.implementation != "cpython" or machine.free_threaded:
        kind = "free-threaded" if machine.free_threaded else machine.implementation
        return f"{machine.executable} is {kind} Python; it needs the usual one: {_another(machine)}"
    if not OLDEST <= machine.python < TOO_NEW:
        return f"{machine.executable} is Python {version}; it needs 3.11, 3.12 or 3.13: {_another(machine)}"
    if not machine.has_venv:
        remedies = {
            "debian": f"sudo apt install python{version}-venv",
            "fedora": f"sudo dnf install python{version}",
            "suse": f"sudo zypper install python{version.replace('.', '')}",
            "darwin": f"brew install python@{version}",
        }
        remedy = remedies.get(machine.family, f"install the whole of Python {version} from your system")
        return f"{machine.executable} lacks the modules venv and ensurepip: {remedy}"
    return None


def _another(machine: Machine) -> str:
    if machine.others:
        return f"make … PYTHON={machine.others[0]}"
    remedies = {
        "debian": "sudo apt install python3.11 python3.11-venv, then add PYTHON=python3.11 to make",
        "fedora": "sudo dnf install python3.12, then add PYTHON=python3.12 to make",
        "darwin": "brew install python@3.12, then add PYTHON=python3.12 to make",
    }
    return remedies.get(machine.family, "install Python 3.12 and add PYTHON=python3.12 to make")


def here() -> Machine:
    """Describe the machine and the Python that runs this."""
    names = ["python{}.{}".format(*OLDEST[:1], minor) for minor in range(TOO_NEW[1] - 1, OLDEST[1] - 1, -1)]
    return Machine(
        executable=sys.executable,
        system=sys.platform,
        machine=platform.machine(),
        is_64_bit=sys.maxsize > 2**32,
        python=(sys.version_info[0], sys.version_info[1]),
        implementation=sys.implementation.name,
        free_threaded=bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        glibc=_glibc(),
        family=_family(),
        has_venv=_has_venv(),
        others=[name for name in names if shutil.which(name)],
    )


def _glibc() -> Optional[Tuple[int, int]]:
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):  # Windows, macOS and musl do not know the name.
        return None
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def _family() -> str:
    if sys.platform == "darwin":
        return "darwin"
    try:
        with open("/etc/os-release", encoding="utf-8") as release:
            text = release.read()
    except OSError:
        return ""
    words = " ".join(re.findall(r"^ID(?:_LIKE)?=(.*)$", text, re.MULTILINE)).replace('"', "").split()
    for family in ("debian", "fedora", "suse"):
        if family in words:
            return family
    return "debian" if "ubuntu" in words else ""


def _has_venv() -> bool:
    try:
        import ensurepip  # noqa: PLC0415  Debian's Python lacks it until python3-venv is installed.
        import venv  # noqa: PLC0415

        return bool(ensurepip.version() and venv.EnvBuilder)
    except Exception:  # Debian's ensurepip raises what it likes where python3-pip-whl is missing.
        return False
