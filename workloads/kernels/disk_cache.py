"""Compiles kernels once: a second process on a machine, or a later job, loads what the first one compiled.

A compiled kernel is filed under all that it is made from. Numba's own cache cannot do that here: it files by
the path of the source, fails on a folder that it cannot write to and on an index that it cannot read, and
hashes what a function encloses, where an intrinsic has another id in each process.
"""

import os
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import llvmlite
import numba
from filelock import BaseFileLock
from numba import njit
from numba.core import serialize, sigutils
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.runtime.nrt import rtsys

from workloads.kernels import cache_files

# Settings of numba that do not change the code, or are in a kernel's version by another name.
HARMLESS = {"NUMBA_CACHE_DIR", "NUMBA_CPU_FEATURES", "NUMBA_CPU_NAME", "NUMBA_NUM_THREADS"}

# No types in numba.
_compiler_result: Any = CompileResult
_serialize: Any = serialize
_sigutils: Any = sigutils


@dataclass(frozen=True)
class Tally:
    """Where the kernels of a process came from.

    Attributes:
        compiled: How many it compiled itself: cold, about a second each, and several on a Pi.
        loaded: How many it found on disk: warm, some hundredths of a second.
    """

    compiled: int
    loaded: int


_counts: Counter[str] = Counter()
_kernels: list[tuple[Any, str, tuple[str, ...]]] = []


def kernel(name: str, signature: str, *sources: str) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator like `njit(nogil=True)` whose results are kept on disk.

    Args:
        name: Of the kernel; two may share it if they enclose different things.
        signature: Types that `compile_all` compiles for, as numba writes them.
        sources: Files whose contents decide about the machine code.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        enclosed = "\n".join(_enclosed(function))
        # Part of the symbols that the machine code exports: the linker takes two of one name for the same.
        function.__qualname__ = f"{name}_{cache_files.digest(enclosed.encode()).hex()[:8]}"
        dispatcher: Any = njit(nogil=True)(function)
        dispatcher._cache = _Kept(name, enclosed, sources)  # noqa: SLF001  # numba offers no cache but its own
        _kernels.append((dispatcher, signature, sources))
        return dispatcher

    return decorate


def compile_all() -> None:
    """Compile or load every kernel that has been declared, and run none of them."""
    for dispatcher, signature, _ in _kernels:
        dispatcher.compile(signature)


def sources() -> set[tuple[str, ...]]:
    """Return the files that kernels were declared with."""
    return {files for _, _, files in _kernels}


def tally() -> Tally:
    """Return where the kernels of this process came from so far."""
    return Tally(compiled=_counts["compiled"], loaded=_counts["loaded"])


def _enclosed(function: Any) -> Iterator[str]:
    """Yield what a function encloses, and what is enclosed by that, as text.

    What has no text of its own is written with its address: then no other process finds the kernel.
    """
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        value = cell.cell_contents
        # Those of a dispatcher and of an intrinsic.
        inner = getattr(value, "py_func", getattr(value, "_defn", value))
        if isinstance(inner, FunctionType):
            yield f"{name}: {inner.__module__}.{inner.__qualname__}"
            yield from _enclosed(inner)
        else:
            yield f"{name}: {inner!r}"


class _Kept(NullCache):
    """One kernel on disk, as its dispatcher asks for it: load, else compile and save."""

    def __init__(self, name: str, enclosed: str, sources: Iterable[str]) -> None:
        self._name, self._enclosed, self._sources = name, enclosed, tuple(sources)
        self._lock: BaseFileLock | None = None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled kernel; None if this process has to compile it."""
        # All that a compiled kernel needs. Numba's own cache gets ready to compile here, for 0.1 s.
        rtsys.initialize(target_context)
        found = self._load(sig, target_context)
        if found is None and self._lock is None:
            self._lock = cache_files.lock(self._name)
            # Whoever held the lock has compiled it.
            found = self._load(sig, target_context)
            if found is not None:
                self._unlock()
        _counts["loaded"] += found is not None
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what this process compiled."""
        _counts["compiled"] += 1
        version = self._version(sig, data.codegen)
        if version is not None and not data.library.has_dynamic_globals:
            # The annotation is a text for people, with the path of the source on this machine.
            kept = data._replace(type_annotation="")
            cache_files.keep(self._name, version, _serialize.dumps(kept._reduce()))  # noqa: SLF001  # as numba does
        self._unlock()

    def _load(self, sig: Any, target_context: Any) -> Any:
        version = self._version(sig, target_context.codegen())
        if version is not None:
            for content in cache_files.find(self._name, version):
                # Whole, but from an installation that differs in more than its versions.
                with suppress(Exception):
                    parts = pickle.loads(content)  # noqa: S301  # the folders are the user's own
                    return _compiler_result._rebuild(target_context, *parts)  # noqa: SLF001  # as numba does
        return None

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _version(self, sig: Any, codegen: Any) -> str | None:
        """Return what stands for all that the machine code depends on; None if its sources cannot be read."""
        arguments, _ = _sigutils.normalize_signature(sig)
        settings = (f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_"))
        made_from = [
            *(numba.__version__, llvmlite.__version__, str(sys.implementation.cache_tag)),
            *codegen.magic_tuple(),
            *(str(arguments), self._enclosed),
            *sorted(setting for setting in settings if setting.split("=")[0] not in HARMLESS),
        ]
        try:
            contents = [Path(source).read_bytes() for source in (__file__, *self._sources)]
        except OSError:
            return None
        parts = [cache_files.digest(part) for part in (*map(str.encode, made_from), *contents)]
        return cache_files.digest(b"".join(parts)).hex()
