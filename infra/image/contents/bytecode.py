"""Modules compiled for the image's Python, by a Python of the same version on any processor."""

import os
import subprocess
import sys
from pathlib import Path

from infra.image.problems import ImageError
from infra.versions import IMAGE_PYTHON


def check_python() -> None:
    """Refuse a Python whose compiled modules the image's does not read.

    Raises:
        ImageError: If this one is of another minor version.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if here != IMAGE_PYTHON:
        raise ImageError(
            f"piray runs with Python {here}; the image has {IMAGE_PYTHON}, and its modules and kernels have "
            f"to be compiled by the same; install it, then: make clean run PYTHON=python{IMAGE_PYTHON}"
        )


def compile_modules(tree: Path) -> None:
    """Compile every module of a tree, beside its source.

    A pod cannot write there, and compiling Ray at every start takes a Pi half a minute. The results hold no
    time and are never compared with their sources, which nothing changes.

    Args:
        tree: A directory that stands for the image's root.

    Raises:
        ImageError: If a module cannot be compiled.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "compileall", "-q", "-j1", "-r40"),
            *("--invalidation-mode=unchecked-hash", "-s", str(tree), "-p", "/", str(tree)),
        ],
        # The order of a set's constants follows from it.
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        raise ImageError(f"a module of the image cannot be compiled: {said[0]}")
