"""Builds the peers with gcc, for this processor."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")


def build(name: str) -> ctypes.CDLL | None:
    """Compile `name`.c and load it; None without gcc or for a processor it is not written for."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{name}.so"
        command = [compiler, *FLAGS, "-o", str(library), str(HERE / f"{name}.c"), "-lm"]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            return None
        return ctypes.CDLL(str(library))


def compiler_version() -> str:
    """Return what gcc says it is, with the flags."""
    answer = subprocess.run(["gcc", "--version"], check=True, capture_output=True, text=True)
    return " ".join((answer.stdout.splitlines()[0], *FLAGS[:2]))
