"""Compiles the kernels for an image: `python -m workloads.precompile FOLDER [MACHINE]` leaves them in FOLDER.

Each processor gets a process of its own, because numba reads its settings once, when it is imported.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from workloads.kernels import cache_files, other_processor

# A Raspberry Pi 4, 400 or Compute Module 4, and a Pi 5, 500 or Compute Module 5: what LLVM 22 makes of their
# /proc/cpuinfo. If it makes something else of it one day, the kernels are compiled on the Pi.
# https://github.com/hrw/arm-socs-table/tree/main/cpuinfo-data
PIS = {
    "cortex-a72": "-aes,+crc,+fp-armv8,+neon,-rand,-sha2,-sve",
    "cortex-a76": "+aes,+crc,+fp-armv8,+lse,+neon,-rand,+sha2,-sve",
}


_ARM64 = {"aarch64", "arm64"}


def compile_into(folder: Path, machine: str) -> None:
    """Compile every kernel for each processor that an image is for; run none of them.

    Args:
        folder: Where the compiled kernels go; made if it is not there.
        machine: Architecture of the image, as `platform.machine` names it. On arm64 the kernels are for the
            Pis' processors, whatever machine builds or emulates; elsewhere they are for the builder's own
            processor, because a virtual machine on x86 may hide any feature of its model.

    Raises:
        RuntimeError: If a second process would have to compile again.
        ValueError: If this machine is of another architecture, and that is not arm64.
    """
    if machine not in _ARM64 and machine != platform.machine():
        raise ValueError(
            f"kernels for {machine} can be compiled on {machine} alone, and this is {platform.machine()}"
        )
    for name in PIS if machine in _ARM64 else [""]:
        _compile(folder, name)
        if _compile(folder, name) != 0:
            raise RuntimeError(
                f"the kernels cannot be kept in {folder}: give a folder that this user can write to."
            )


def main(arguments: Sequence[str]) -> None:
    """Fill the folder that is given, for this machine's architecture or the one given after it."""
    folder, machine = [*arguments, platform.machine()][:2]
    compile_into(Path(folder), machine)


def compile_here(processor: str) -> None:
    """Compile or load the kernels in this process, and say how many it had to compile.

    Args:
        processor: One of PIS; empty for this machine's own.
    """
    if processor:
        other_processor.pretend(processor, PIS[processor])
    # They choose their shapes by the processor when they are imported.
    from workloads.kernels import disk_cache  # noqa: PLC0415
    from workloads.mandelbrot import kernel, palette  # noqa: F401, PLC0415  # they declare their kernels
    from workloads.pi import kernel as pi_kernel  # noqa: PLC0415

    disk_cache.compile_all()
    pi_kernel.compile_only()
    print(disk_cache.tally().compiled)


def _compile(folder: Path, processor: str) -> int:
    """Compile or load the kernels in a new process; return how many it had to compile."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    # What an older image holds would be found, and not be written to the folder.
    environment.pop(cache_files.ENV_IMAGE, None)
    program = f"from workloads import precompile; precompile.compile_here({processor!r})"
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
