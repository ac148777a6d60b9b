"""Counts samples as `philox` does, with compiled code that is kept on disk; the π Job's pods do without."""

import time
from collections.abc import Callable
from typing import Any

from workloads.kernels import disk_cache
from workloads.pi import codegen, philox


def count_inside(samples: int, seed: int, stream: int) -> int:
    """Count as `philox.count_inside` does, which has the same arguments and errors; compiles at first."""
    return philox.count_inside(samples, seed, stream, _count())


def warm_up() -> float:
    """Make the kernel ready in this process; return the seconds it took, close to zero the second time."""
    begin = time.perf_counter()
    _count()
    return time.perf_counter() - begin


def compile_only() -> None:
    """Compile or load the kernel, and count nothing."""
    _count()


def _count() -> philox.Count:
    return codegen.compile_count(codegen.layout_here(), _compile)


def _compile(function: Callable[..., Any]) -> Any:
    """Do what `codegen.compile_at_once` does, and keep the result."""
    dispatcher = disk_cache.kernel("pi", codegen.SIGNATURE, *codegen.SOURCES)(function)
    dispatcher.compile(codegen.SIGNATURE)
    dispatcher.disable_compile()
    return dispatcher
