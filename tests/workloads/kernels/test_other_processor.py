"""Kernels for a Pi, compiled on whatever machine this is; an emulated Pi runs them in tests/images."""

import platform
import shutil
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


def test_what_is_kept_is_the_same_wherever_its_sources_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(precompile.__file__).parents[1]
    shutil.copytree(root / "workloads", tmp_path / "another" / "workloads")
    contents: list[dict[str, bytes]] = []
    for folder in (root, tmp_path / "another"):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        kept = tmp_path / f"kept{len(contents)}"
        precompile._compile(kept, "cortex-a72")
        contents.append({file.name: file.read_bytes() for file in kept.glob("[!.]*")})
    assert contents[0] == contents[1] != {}


def test_another_machine_that_is_no_pi_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"riscv64 can be compiled on riscv64 alone.*{platform.machine()}"):
        precompile.compile_into(tmp_path, "riscv64")
    assert not any(tmp_path.iterdir())
