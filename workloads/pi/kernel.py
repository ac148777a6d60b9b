"""Counts samples as `workloads.pi` does, with its kernel kept on disk; the π pods have pi.py alone."""

from collections.abc import Callable
from typing import Any

from workloads.kernels import disk_cache
from workloads.pi import pod
from workloads.pi.pod import count_inside, warm_up

__all__ = ["compile_only", "count_inside", "warm_up"]


def compile_only() -> None:
    """Compile or load the kernel, and count nothing."""
    pod._compiled(pod._layout())  # noqa: SLF001  # its other half


def _compile(function: Callable[..., Any]) -> Any:
    """Do what `njit` with a signature does: compile at once, and for nothing else later."""
    dispatcher = disk_cache.kernel("pi", pod.SIGNATURE, pod.__file__)(function)
    dispatcher.compile(pod.SIGNATURE)
    dispatcher.disable_compile()
    return dispatcher


pod.compiler = _compile
