"""Decides what a job brings to the cluster: the packages that run there, and nothing else."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import workloads

# What runs beside Ray: the driver, and all that it imports.
PACKAGES = ("kernels", "mandelbrot", "pi", "scaling", "protocol", "driver")


@contextmanager
def working_dir() -> Iterator[Path]:
    """Make a folder with the part of `workloads` that runs on the cluster, and remove it afterwards."""
    source = Path(workloads.__path__[0])
    with tempfile.TemporaryDirectory(prefix="piray-job-") as folder:
        target = Path(folder) / source.name
        target.mkdir()
        shutil.copy(source / "__init__.py", target)
        for package in PACKAGES:
            shutil.copytree(
                source / package, target / package, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        yield target.parent
