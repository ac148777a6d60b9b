"""arm64 programs that the kernel starts by itself, for as long as the block lasts."""

import os
import platform
from pathlib import Path

import pytest

from sandbox.machine.emulation import arm64_programs, lacking

ENTRIES = Path("/proc/sys/fs/binfmt_misc")

pytestmark = [
    pytest.mark.arm64,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root registers a program with the kernel"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="nothing is emulated on this machine"),
    pytest.mark.skipif(bool(lacking()), reason="; ".join(lacking())),
]


def ours() -> list[str]:
    return [entry.name for entry in ENTRIES.glob("piray-arm64-*")]


def test_the_interpreter_is_opened_at_once_and_gone_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    # Another number than that of any sandbox.
    monkeypatch.setattr("sandbox.machine.emulation._NAME", "piray-arm64-test")
    with arm64_programs():
        said = (ENTRIES / "piray-arm64-test").read_text()
    assert "enabled" in said
    assert "flags: F" in said
    assert "piray-arm64-test" not in ours()
