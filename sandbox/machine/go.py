"""Builds Go programs: static ones, the same from every checkout."""

import os
import re
import shutil
from pathlib import Path

from sandbox.machine.process import SandboxError, run

_BUILD_S = 3600


def go_build(module: Path, package: str, output: Path, linker: str = "-s -w") -> None:
    """Build a program.

    Args:
        module: Directory of the Go module to build in.
        package: The program's package, a path or an import path.
        output: File to write.
        linker: Flags of the linker.

    Raises:
        SandboxError: If the build fails.
    """
    # Neither the directory nor the machine's C library is in the result: the Go cache serves every checkout.
    run(
        *("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linker, "-o", output, package),
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0"},
        timeout=_BUILD_S,
    )


def go_version(module: Path) -> str:
    """Return the Go on PATH, e.g. "go1.26.8 linux/amd64".

    Args:
        module: Directory of the Go module that it is to build.

    Raises:
        SandboxError: If there is none, or one that is older than the module needs.
    """
    wanted = _numbers(_wanted(module / "go.mod"))
    remedy = f"the sandbox needs Go {_dotted(wanted)} or newer; install it as https://go.dev/doc/install says"
    if shutil.which("go") is None:
        raise SandboxError(f"go is not on PATH; {remedy}")
    found = run("go", "env", "GOVERSION", "GOOS", "GOARCH").split()
    if _numbers(found[0].removeprefix("go")) < wanted:
        raise SandboxError(f"go on PATH is {found[0]}; {remedy}")
    return " ".join(found)


def _wanted(file: Path) -> str:
    found = re.search(r"^go (\S+)$", file.read_text(), re.MULTILINE)
    if found is None:
        raise SandboxError(f"{file} has no line `go VERSION`; restore the file")
    return found[1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
