"""Counts samples as `workloads.pi` does, with its kernel kept on disk; the π pods have pi.py alone."""

from collections.abc import Callable
from typing import Any

from workloads import jit, pi
from workloads.pi import count_inside, warm_up

__all__ = ["count_inside", "warm_up"]


def _compile(function: Callable[..., Any], name: str) -> Any:
    """Do what `njit` with a signature does: compile at once, and for nothing else later."""
    dispatcher = jit.kernel(name, pi.SIGNATURE, pi.__file__)(function)
    dispatcher.compile(pi.SIGNATURE)
    dispatcher.disable_compile()
    return dispatcher


pi.compiler = _compile
