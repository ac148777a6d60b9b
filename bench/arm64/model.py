"""Asks llvm-mca how long a Pi's core would take for some instructions, by LLVM's model of that core."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bench.arm64.code import TRIPLE

# The first with a model of the Neoverse N1.
OLDEST = 16
NEWEST = 40
ITERATIONS = 200


@dataclass(frozen=True)
class Core:
    """A core of a Pi.

    Attributes:
        name: For the table.
        cpu: LLVM's name, for which the code is written.
        model: LLVM's name of the core whose model is used.
        why: What model that is.
    """

    name: str
    cpu: str
    model: str
    why: str


# LLVM 22, AArch64Processors.td: CortexA57Model for both Cortex-A72 and Cortex-A76. That suits the A72, which
# has the A57's two 64-bit halves of a vector unit, but not the A76, which has two whole ones.
CORES = (
    Core("Pi 4", "cortex-a72", "cortex-a72", "LLVM's Cortex-A57 model, which it uses for the A72"),
    Core("Pi 5", "cortex-a76", "neoverse-n1", "LLVM's model of the Neoverse N1, the A76's server version"),
)


@dataclass(frozen=True)
class Mca:
    """An llvm-mca.

    Attributes:
        path: Where it is.
        version: Of LLVM.
    """

    path: str
    version: int


def find() -> Mca | None:
    """Return the newest llvm-mca on PATH; None without one that is new enough."""
    names = [*(f"llvm-mca-{version}" for version in range(NEWEST, OLDEST - 1, -1)), "llvm-mca"]
    for path in filter(None, map(shutil.which, names)):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"version (\d+)", said)
        if version and int(version[1]) >= OLDEST:
            return Mca(path, int(version[1]))
    return None


def cycles(mca: Mca, instructions: Sequence[str], core: Core) -> float:
    """Return the cycles of a loop of these instructions, per turn, branches predicted and data in the cache.

    Args:
        mca: The program.
        instructions: Of one turn.
        core: Whose model.
    """
    command = [mca.path, f"-mtriple={TRIPLE}", f"-mcpu={core.model}", f"-iterations={ITERATIONS}"]
    text = "\n".join(instructions)
    said = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    total = re.search(r"^Total Cycles:\s+(\d+)$", said, re.MULTILINE)
    assert total is not None
    return int(total[1]) / ITERATIONS


def independent(operations: Sequence[str]) -> list[str]:
    """Return instructions none of which waits for another: their time is what the core's units need.

    Args:
        operations: Instructions with `{}` in place of the register that they write.
    """
    return [operation.format(f"v{index % 30}") for index, operation in enumerate(operations)]
