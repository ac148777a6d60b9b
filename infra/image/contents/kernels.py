"""The workloads' compiled kernels for the Pis, by a process of `workloads`."""

import subprocess
import sys
from pathlib import Path

from infra.image.problems import ImageError
from infra.image.target import Target

FOLDER = "opt/piray/kernels"


def compile_kernels(project: Path, target: Target, tree: Path) -> bool:
    """Put kernels for the known processors of an architecture into a tree.

    Args:
        project: The project's root.
        target: The image's processor.
        tree: A directory that stands for the image's root.

    Returns:
        Whether there are any: x86 has too many models, and a virtual machine may hide any feature.

    Raises:
        ImageError: If they cannot be compiled.
    """
    if target.arch != "arm64":
        return False
    folder = tree / FOLDER
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "workloads.precompile", str(folder), target.machine],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise ImageError(f"the kernels for {target.arch} cannot be compiled: {said[0]}")
    for lock in folder.glob(".*"):
        lock.unlink()
    return True
