"""Builds the peers for this processor: C with gcc, ISPC's with ispc and gcc where they are on PATH."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
ISPC_FLAGS = ("-O3", "--opt=fast-math", "--pic")
# By the feature LLVM names for a processor; which one is fastest is found out. avx512skx runs on all that
# have AVX-512, and newer names were no faster.
ISPC_TARGETS = {
    "avx512f": ("avx512skx-x8", "avx512skx-x16", "avx512skx-x32", "avx512skx-x64"),
    "avx2": ("avx2-i32x8", "avx2-i32x16", "avx2-i64x4"),
    "neon": ("neon-i32x4", "neon-i32x8"),
}


def build(name: str) -> ctypes.CDLL | None:
    """Compile `name`.c and load it; None without gcc or for a processor it is not written for."""
    if shutil.which("gcc") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{name}.so"
        return _loaded(library, ["gcc", *FLAGS, "-o", str(library), str(HERE / f"{name}.c"), "-lm"])


def build_ispc(name: str, features: Mapping[str, bool]) -> dict[str, ctypes.CDLL]:
    """Compile `name`.ispc for each target that runs here, and load it; empty without ispc or gcc."""
    if shutil.which("ispc") is None or shutil.which("gcc") is None:
        return {}
    targets = next((names for feature, names in ISPC_TARGETS.items() if features.get(feature)), ())
    libraries = {}
    with tempfile.TemporaryDirectory() as folder:
        for target in targets:
            part, library = (Path(folder) / f"{target}{suffix}" for suffix in (".o", ".so"))
            source = str(HERE / f"{name}.ispc")
            compiled = ["ispc", source, *ISPC_FLAGS, f"--target={target}", "-o", str(part)]
            if _succeeds(compiled) and (
                found := _loaded(library, ["gcc", "-shared", "-o", str(library), str(part)])
            ):
                libraries[target] = found
    return libraries


def compiler_version() -> str:
    """Return what gcc says it is, with the flags."""
    return " ".join((_first_line("gcc", "--version"), *FLAGS[:2]))


def ispc_version() -> str:
    """Return what ispc says it is, with the flags."""
    return " ".join((_first_line("ispc", "--version").split(" (build")[0], *ISPC_FLAGS[:2]))


def _loaded(library: Path, command: list[str]) -> ctypes.CDLL | None:
    return ctypes.CDLL(str(library)) if _succeeds(command) else None


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _first_line(*command: str) -> str:
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return answer.stdout.splitlines()[0]
