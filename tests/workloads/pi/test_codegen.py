"""The vector code against NumPy's counts, and as other processors would get it."""

import os
import platform
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir

from bench.arm64.code import assembly
from workloads.pi import codegen
from workloads.pi.codegen import Layout, compile_count, layout_here
from workloads.pi.kernel import count_inside
from workloads.pi.philox import BATCH_SAMPLES, MAX_SAMPLES, count_arrays

spans = st.tuples(st.integers(0, MAX_SAMPLES // 2**33), st.integers(0, 2**32 - 1)).map(
    lambda span: 2 * (span[0] << 32 | span[1])
)


# The first example compiles.
@settings(deadline=None)
@given(spans, st.integers(1, 999), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_numpy_and_numba_count_alike(first: int, samples: int, seed: int, stream: int) -> None:
    arguments = (first, min(first + samples, ((first >> 33) + 1) << 33), seed, stream)
    assert count_arrays(*arguments) == compile_count(layout_here())(*arguments)


@pytest.mark.parametrize(
    "layout", [Layout(4, 32), Layout(8, 32, 3), Layout(2, 64), Layout(4, 64), Layout(8, 64, 1)]
)
@pytest.mark.parametrize("first", [0, 2**34 - 2000, 2**34])
def test_the_count_is_the_same_however_words_lie_in_vectors(layout: Layout, first: int) -> None:
    arguments = (first, first + 1999, 2**63 + 12345, 2**40 + 3)
    assert compile_count(layout)(*arguments) == count_arrays(*arguments)


@pytest.mark.parametrize(
    ("cpu", "features", "register"),
    [("haswell", {"avx2": True}, "ymm"), ("skylake-avx512", {"avx512f": True}, "zmm")],
)
def test_words_are_multiplied_in_whole_vectors(cpu: str, features: dict[str, bool], register: str) -> None:
    module, layout = ir.Module("pi"), codegen.layout_for(features)
    codegen.define_count(module, "count", layout).linkage = "external"
    text = assembly(module, cpu, "x86_64-unknown-linux-gnu")
    products = re.findall(rf"vpmuludq.*%{register}\d+$", text, re.MULTILINE)
    # A round of all vectors in flight, and the squares.
    assert len(products) >= (2 + 4) * layout.vectors
    assert not re.findall(r"\bi?mulq?\s", text)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="tells Numba the name of an x86 processor")
def test_vectors_are_those_that_numba_is_told_to_compile_for() -> None:
    program = (
        "from workloads.pi import codegen, kernel\n"
        "print(codegen.layout_here(), kernel.count_inside(3001, 5, 6))"
    )
    told = {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": "+sse4.2,-avx2,-avx512f"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{Layout(4, 32)} {count_inside(3001, 5, 6)}\n"


def test_no_batch_holds_positions_that_differ_in_the_upper_word() -> None:
    assert 2**33 % BATCH_SAMPLES == 0
    with pytest.raises(AssertionError):
        compile_count(layout_here())(2**33 - 2, 2**33 + 2, 0, 0)
