"""Lets a process compile for a processor that it does not run on; it cannot call what it compiles."""

import os
from typing import Any

import llvmlite.binding as llvm

# What llvmlite's wheels for Linux say of themselves on a Pi.
TRIPLE = "aarch64-unknown-linux-gnu"


def pretend(cpu: str, features: str, triple: str = TRIPLE) -> None:
    """Answer as another machine from now on when numba or a kernel asks LLVM which one this is.

    Numba compiles for the machine that it runs on: it has settings for a processor, not for an architecture.
    Types, layouts and the calls of a kernel are the same on all of 64 bits with little-endian numbers. To be
    called before numba is imported, in a process that does nothing else.

    Args:
        cpu: LLVM's name of the processor.
        features: As LLVM writes them, e.g. "+neon,-sve".
        triple: LLVM's name of the machine.
    """
    os.environ.update(NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=features)
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(triple)
    answers: dict[str, Any] = {
        "get_process_triple": lambda: triple,
        "get_host_cpu_name": lambda: cpu,
        "get_host_cpu_features": lambda: llvm.FeatureMap(
            {name[1:]: name[0] == "+" for name in features.split(",")}
        ),
    }
    for name, answer in answers.items():
        setattr(llvm, name, answer)
    llvm.Target.from_default_triple = classmethod(lambda cls: target)
