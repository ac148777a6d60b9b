"""The vector code as other processors would get it: written for them here, and read, not run."""

import re

import pytest
from llvmlite import ir

from bench.arm64.code import assembly
from workloads.mandelbrot.codegen import block, smoothing, vectors
from workloads.mandelbrot.codegen.vectors import Shape


def written(triple: str, cpu: str, shape: Shape, smooth: bool = False) -> str:
    """Compile the block function, or what smooths, for a processor that is not this one."""
    module = ir.Module("block")
    if smooth:
        function = smoothing.define_smooth(module, "smooth", 16, 2.0**-52)
    else:
        function = block.define_iterate(module, "iterate", shape)
    function.linkage = "external"
    return assembly(module, cpu, triple)


def counts(text: str, pattern: str) -> int:
    return len(re.findall(pattern, text))


@pytest.mark.parametrize("cpu", ["cortex-a72", "cortex-a76"])
def test_a_pi_computes_with_packed_neon(cpu: str) -> None:
    text = written("aarch64-unknown-linux-gnu", cpu, vectors.shape_for({"neon": True}))
    assert vectors.shape_for({"neon": True}) == Shape(lanes=2, rows=8)
    # Four steps of eight rows without a look, of which three operations are fused.
    assert counts(text, r"fml[as]\s+v\d+\.2d") >= 3 * 4 * 8
    # Never one by one, and never by a call of the C library.
    assert counts(text, r"\b(fmadd|fmsub|fnmsub)\s+d") == 0
    assert counts(text, r"\bbl\s") == 0


@pytest.mark.parametrize("cpu", ["cortex-a72", "cortex-a76"])
def test_a_pi_smooths_with_packed_neon(cpu: str) -> None:
    text = written("aarch64-unknown-linux-gnu", cpu, Shape(2, 8), smooth=True)
    assert counts(text, r"fmla\s+v\d+\.4s") >= 2 * 6 * 4
    # What is left of a row is copied; nothing is computed by a call.
    assert set(re.findall(r"\bbl\s+(\w+)", text)) <= {"memcpy"}


@pytest.mark.parametrize(
    ("cpu", "features", "register"),
    [("haswell", {"avx2": True}, "ymm"), ("skylake-avx512", {"avx512f": True}, "zmm")],
)
def test_other_processors_use_their_whole_vectors(cpu: str, features: dict[str, bool], register: str) -> None:
    text = written("x86_64-unknown-linux-gnu", cpu, vectors.shape_for(features))
    rows = vectors.shape_for(features).rows
    assert counts(text, rf"vfn?m(add|sub)\d+pd.*%?{register}") >= 3 * 4 * rows
    assert counts(text, r"vfn?m(add|sub)\d+sd") == 0
