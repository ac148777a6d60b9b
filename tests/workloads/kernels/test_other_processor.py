"""Kernels for a Pi, compiled on whatever machine this is; an emulated Pi runs them in tests/images."""

import platform
import struct
from pathlib import Path

import pytest

from workloads import precompile

EM_AARCH64 = 183


def machines(content: bytes) -> set[int]:
    """Return the processors of all object code in a file."""
    parts = content.split(b"\x7fELF\x02\x01\x01")[1:]
    return {struct.unpack_from("<H", part, 18 - 7)[0] for part in parts}


def test_a_pis_kernels_hold_a_pis_code_alone(tmp_path: Path) -> None:
    assert precompile._compile(tmp_path, "cortex-a72") > 0
    kept = {file.name.split("-")[0]: machines(file.read_bytes()) for file in tmp_path.glob("[!.]*")}
    assert kept == dict.fromkeys(["colours", "mandelbrot", "pi"], {EM_AARCH64})


def test_another_machine_that_is_no_pi_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"riscv64 can be compiled on riscv64 alone.*{platform.machine()}"):
        precompile.compile_into(tmp_path, "riscv64")
    assert not any(tmp_path.iterdir())
