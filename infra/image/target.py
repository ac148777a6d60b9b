"""The processors that an image can be for, as each party names them; pure."""

from dataclasses import dataclass

# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
_EM_X86_64, _EM_AARCH64 = 62, 183


@dataclass(frozen=True)
class Target:
    """A processor.

    Attributes:
        arch: As Debian, Go and the stack file name it.
        machine: As Python, LLVM and the names of wheels have it.
        elf_machine: Its number in ELF files.
        variant: What an OCI platform adds to `arch`; empty if nothing.
        page_sizes: Of the kernels that run the image, in bytes; a Pi 5 has pages of 16 KiB.
    """

    arch: str
    machine: str
    elf_machine: int
    variant: str
    page_sizes: tuple[int, ...]


TARGETS = {
    target.arch: target
    for target in (
        Target("amd64", "x86_64", _EM_X86_64, "", (4096,)),
        Target("arm64", "aarch64", _EM_AARCH64, "v8", (4096, 16384)),
    )
}
