import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from infra.image.archive import elf
from tests.infra.image import ingredients


def test_a_library_says_its_processor_its_pages_and_what_it_needs(tmp_path: Path) -> None:
    file = tmp_path / "one.so"
    content = ingredients.elf("arm64", needed=("libc.so.6", "libz.so.1"), alignment=16384, symbols=b"s" * 10)
    file.write_bytes(content)
    assert elf.read(file) == elf.Elf(183, 16384, ("libc.so.6", "libz.so.1"), len(content) - 10)


def test_another_file_is_none(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"#!/bin/sh\n", b"\x7fELF")):
        (tmp_path / str(number)).write_bytes(content)
        assert elf.read(tmp_path / str(number)) is None
        assert elf.strip(tmp_path / str(number), 0) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no ELF on this system")
def test_a_real_library_works_without_what_is_never_loaded(tmp_path: Path) -> None:
    import llvmlite.binding  # noqa: PLC0415

    name = f"libllvmlite{sysconfig.get_config_var('SHLIB_SUFFIX')}"
    real = Path(llvmlite.binding.__file__).with_name(name)
    copy = shutil.copy(real, tmp_path / name)
    found = elf.read(real)
    assert found is not None
    assert any(library.startswith("libc.so") for library in found.needed)
    assert elf.strip(tmp_path / name, 1) == real.stat().st_size - found.loaded > 0
    program = f"import ctypes; print(ctypes.CDLL({str(copy)!r}).LLVMPY_GetVersionInfo() >> 16 > 10)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    assert elf.strip(tmp_path / name, 1) == 0
