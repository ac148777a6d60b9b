"""The locked wheels, for the image's Python and processor, installed by pip; none of their code is run."""

import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.image.problems import ImageError
from infra.image.target import Target
from infra.versions import IMAGE_PYTHON

PACKAGES = f"usr/local/lib/python{IMAGE_PYTHON}/dist-packages"
_PROGRAMS = "usr/local/bin"
_SHEBANG = f"#!/usr/bin/python{IMAGE_PYTHON}\n".encode()
# Wheels name the oldest glibc that they run with; Debian 12 has 2.36.
_GLIBC = range(17, 37)
_BLOCK = re.compile(
    r"^(?P<requirement>[\w.-]+[^\\\n]*?) *\\\n(?P<hashes>(?:[ \t]+--hash=.*\n?)+)", re.MULTILINE
)
# The second form is for a path that is too long for the kernel, or has a space.
_HOSTS_SHEBANG = re.compile(rb"\A#!(?:/bin/sh\n'''exec' .*\n' '''|.*python.*)\n")


def locked(lock: str) -> dict[str, str]:
    """Return the lines of a lock that are for Linux, each with its hashes, by the name of the package.

    The lock is for every system; pip would choose its lines for the one that it runs on.

    Args:
        lock: Its text, as uv writes it.
    """
    system = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    python = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    found: dict[str, str] = {}
    for block in _BLOCK.finditer(lock):
        requirement = Requirement(block["requirement"])
        if requirement.marker is None or requirement.marker.evaluate(system | python):
            requirement.marker = None
            found[canonicalize_name(requirement.name)] = f"{requirement} \\\n{block['hashes'].rstrip()}\n"
    return found


def install(lines: list[str], target: Target, tree: Path) -> None:
    """Install wheels into a tree.

    Args:
        lines: Of a lock, with hashes.
        target: The image's processor.
        tree: A directory that stands for the image's root.

    Raises:
        ImageError: If pip fails.
    """
    folder = tree / PACKAGES
    folder.mkdir(parents=True)
    requirements = tree.with_name(f"{tree.name}.lock")
    requirements.write_text("".join(lines))
    tags = [f"manylinux2014_{target.machine}", *(f"manylinux_2_{minor}_{target.machine}" for minor in _GLIBC)]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--no-compile", "--only-binary=:all:", "--implementation=cp", f"--python-version={IMAGE_PYTHON}"),
        *(f"--platform={tag}" for tag in tags),
        *(f"--target={folder}", "--require-hashes", f"--requirement={requirements}"),
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            done.stderr.strip()
        ]
        raise ImageError(
            f"pip cannot install the wheels for {target.arch}: {said[0]}; run it again with internet"
        )
    _move_programs(folder, tree / _PROGRAMS)


def _move_programs(folder: Path, programs: Path) -> None:
    """Put programs where a shell looks, and let them begin with the image's Python instead of this one."""
    made = folder / "bin"
    if made.is_dir():
        programs.parent.mkdir(parents=True, exist_ok=True)
        made.rename(programs)
        for program in programs.iterdir():
            program.write_bytes(_HOSTS_SHEBANG.sub(_SHEBANG, program.read_bytes(), count=1))
    for record in folder.glob("*.dist-info/RECORD"):
        # With the sums of programs as they were.
        record.write_text(
            re.sub(r"^((?:\.\./)+bin/[^,]*),.*$", r"\1,,", record.read_text(), flags=re.MULTILINE)
        )
