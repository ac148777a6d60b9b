"""Whether an image's kernels for the Pis are filed under what LLVM says there; emulated, runs no kernel."""

from pathlib import Path

import pytest

from sandbox.images.arm64 import arm64_tree, emulated, missing
from sandbox.machine.process import SandboxError
from workloads.precompile import PIS

# The lines that LLVM reads, as a Pi 4 and a Pi 5 with a 64-bit kernel have them.
# https://github.com/hrw/arm-socs-table/tree/main/cpuinfo-data
CPUINFO = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: {part}
"""
HARDWARE = {
    "cortex-a72": CPUINFO.format(features="fp asimd evtstrm crc32 cpuid", part="0xd08"),
    "cortex-a76": CPUINFO.format(
        features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
        "asimddp",
        part="0xd0b",
    ),
}
PROGRAM = (
    "from llvmlite import binding as b; print(b.get_host_cpu_name(), b.get_host_cpu_features().flatten())"
)


@pytest.mark.arm64
@pytest.mark.parametrize("cpu", PIS)
def test_llvm_says_of_a_pi_what_the_image_was_built_for(cpu: str, tmp_path: Path) -> None:
    if missing():
        pytest.skip(f"no emulated arm64 on this machine: it lacks {', '.join(missing())}")
    try:
        tree = arm64_tree()
    except SandboxError as error:
        pytest.skip(f"no emulated arm64 on this machine: {str(error).splitlines()[0]}")
    # The same tree with a /proc/cpuinfo: the emulator looks there before it looks at this machine's.
    (tmp_path / "site").symlink_to(tree / "site")
    (tmp_path / "root/proc").mkdir(parents=True)
    for entry in (tree / "root").iterdir():
        (tmp_path / "root" / entry.name).symlink_to(entry)
    (tmp_path / "root/proc/cpuinfo").write_text(HARDWARE[cpu])
    assert emulated(tmp_path, "-c", PROGRAM).split() == [cpu, PIS[cpu]]
