"""What the kernels of a Pi 4 and a Pi 5 say of their processors in /proc/cpuinfo, where LLVM reads it.

https://github.com/hrw/arm-socs-table/tree/main/cpuinfo-data
"""

_CPUINFO = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: {part}
"""
# By the name that LLVM and qemu have for it.
CPUINFO = {
    "cortex-a72": _CPUINFO.format(features="fp asimd evtstrm crc32 cpuid", part="0xd08"),
    "cortex-a76": _CPUINFO.format(
        features="fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
        "asimddp",
        part="0xd0b",
    ),
}
