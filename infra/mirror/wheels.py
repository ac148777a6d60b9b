"""The wheels of what jobs install, for the Python and the processor of the Ray image."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.mirror.problems import MirrorError
from infra.versions import IMAGE_PYTHON

_MACHINES = {"arm64": "aarch64", "amd64": "x86_64"}
# glibc's versions up to that of the official image; wheels name the oldest one that they run with.
_GLIBC = range(17, 36)


def download_wheels(packages: Sequence[str], arch: str, folder: Path) -> None:
    """Let pip put the wheels of some requirements, and of all that these need, into a folder.

    Args:
        packages: Requirements.
        arch: "arm64" or "amd64".
        folder: Where they go; what is there already is not downloaded again.

    Raises:
        MirrorError: If pip fails.
    """
    machine = _MACHINES[arch]
    platforms = [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in _GLIBC)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--only-binary=:all:", "--implementation=cp", f"--python-version={IMAGE_PYTHON}"),
        *(f"--platform={platform}" for platform in platforms),
        *(f"--dest={folder}", f"--find-links={folder}", *packages),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        raise MirrorError(f"pip cannot download {', '.join(packages)}: {said[0]}; run it again with internet")
