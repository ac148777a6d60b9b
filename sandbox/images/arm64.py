"""An arm64 Python with a Pi's wheels, run by qemu's user emulation: no root, no mount, nothing registered.

Right answers and generated code are a Pi's; times are not.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox.images.debian import private_apt
from sandbox.machine.cache import cached
from sandbox.machine.process import SandboxError, run

QEMU = "qemu-aarch64-static"
_NEEDED = {QEMU: "qemu-user-static", "apt-get": "apt", "dpkg-deb": "dpkg"}
# What the wheels expect of the system.
_PACKAGES = ("libstdc++6", "python3")
_WHEELS = ("filelock", "llvmlite", "numba", "numpy")
_LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
# glibc versions, none newer than Debian 12's; PyPI's wheels name the oldest one that they run with.
_PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)))


def missing() -> list[str]:
    """Return the Debian packages that this machine lacks."""
    return [package for program, package in _NEEDED.items() if shutil.which(program) is None]


def arm64_tree() -> Path:
    """Return a directory with `root`, Debian's Python and what it needs, and `site`, the locked wheels.

    Raises:
        SandboxError: If the packages or the wheels cannot be had.
    """
    lock = locked(_LOCK.read_text(), _WHEELS)

    def make(folder: Path) -> None:
        _unpack_debian(folder / "root")
        version = _python(folder).name.removeprefix("python")
        requirements = folder / "requirements.lock"
        requirements.write_text(lock)
        run(
            sys.executable, "-m", "pip", "install", "--quiet", "--target", folder / "site", "--no-deps",
            "--no-compile", "--only-binary=:all:", f"--python-version={version}",
            *(f"--platform={platform}" for platform in _PLATFORMS),
            "--require-hashes", "--requirement", requirements,
        )  # fmt: skip
        # Leaves the compiled modules behind; without them each start takes ten seconds.
        emulated(folder, "-c", "import numba")

    return cached("arm64", [lock, Path(__file__)], make)


def emulated(tree: Path, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 600) -> str:
    """Run the arm64 Python and return its standard output.

    The emulator looks for every absolute path in the tree first. What the program starts itself is not
    emulated.

    Args:
        tree: From `arm64_tree`.
        arguments: For Python.
        env: More variables of the environment; the search path of modules goes on behind the wheels.
        timeout: Seconds after which it is killed.

    Raises:
        SandboxError: If it fails or takes too long.
    """
    variables = {"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1", **(env or {})}
    paths = [str(tree / "site"), *filter(None, [variables.get("PYTHONPATH")])]
    variables["PYTHONPATH"] = os.pathsep.join(paths)
    return run(QEMU, "-L", tree / "root", _python(tree), *arguments, env=variables, timeout=timeout)


def locked(lock: str, names: Iterable[str]) -> str:
    """Return the lines of a lock file, with their hashes, for some packages.

    Args:
        lock: Its text.
        names: Of the packages, as the file spells them.

    Raises:
        SandboxError: If it lacks one.
    """
    blocks = {
        block[1]: block[0]
        for block in re.finditer(r"^([\w.-]+)(?:\[[^]]*\])?==.*(?:\n[ \t]+.*)*", lock, re.M)
    }
    lacking = [name for name in names if name not in blocks]
    if lacking:
        raise SandboxError(f"requirements.lock has no line for {', '.join(lacking)}")
    return "\n".join(blocks[name] for name in names) + "\n"


def _unpack_debian(root: Path) -> None:
    """Unpack arm64 packages from the archive that this machine installs from, without installing them."""
    with tempfile.TemporaryDirectory(prefix="piray-arm64-") as name:
        state = Path(name)
        options = private_apt(state, "arm64")
        run("apt-get", *options, "install", "--yes", "--no-install-recommends", "--download-only", *_PACKAGES)
        root.mkdir()
        for package in sorted((state / "archives").glob("*.deb")):
            run("dpkg-deb", "--extract", package, root)


def _python(tree: Path) -> Path:
    """Return the Python of the tree."""
    found = sorted((tree / "root" / "usr" / "bin").glob("python3.*[0-9]"))
    if not found:
        raise SandboxError(f"{tree} holds no Python")
    return found[0]
