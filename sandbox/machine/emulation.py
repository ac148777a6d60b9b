"""arm64 programs on a machine of another kind, wherever they are started: by the kernel, in every container.

https://docs.kernel.org/admin-guide/binfmt-misc.html
"""

import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.machine.process import SandboxError, run
from sandbox.machine.runtime import NUMBER

QEMU = "qemu-aarch64-static"
_FOLDER = Path("/proc/sys/fs/binfmt_misc")
# Each sandbox has one of its own; the kernel takes the last that was registered.
_NAME = f"piray-arm64-{NUMBER}"
# The first 20 bytes of a program, and which bits of them count: 64 bits, little-endian, a program or a shared
# one, for ELF machine 183. As qemu's scripts/qemu-binfmt-conf.sh has them.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def lacking() -> list[str]:
    """Return why arm64 programs cannot be run everywhere on this machine; empty where they can."""
    if _native():
        return []
    if shutil.which(QEMU) is None:
        return [f"{QEMU} is missing; run: apt-get install --no-install-recommends qemu-user-static"]
    if not _FOLDER.is_dir() and "binfmt_misc" not in Path("/proc/filesystems").read_text():
        return ["the kernel lacks binfmt_misc; run: modprobe binfmt_misc, or use another machine"]
    return []


@contextmanager
def arm64_programs() -> Iterator[None]:
    """Let the kernel run arm64 programs by qemu inside the block, and leave it as it was after that.

    The interpreter is opened once, now (flag F): containers need not have it.

    Raises:
        SandboxError: If the kernel does not let it be registered.
    """
    if _native():
        yield
        return
    mounted = not (_FOLDER / "register").exists()
    if mounted:
        run("mount", "-t", "binfmt_misc", "binfmt_misc", _FOLDER)
    try:
        _unregister()
        _write(_FOLDER / "register", f":{_NAME}:M::{_MAGIC}:{_MASK}:{shutil.which(QEMU)}:F")
        try:
            yield
        finally:
            _unregister()
    finally:
        if mounted:
            run("umount", "--lazy", _FOLDER)


def _unregister() -> None:
    """Remove what an earlier run, that was killed, may have left, or what this one has registered."""
    if (_FOLDER / _NAME).exists():
        _write(_FOLDER / _NAME, "-1")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise SandboxError(f"{file} takes no {text[:30]} ({error.strerror}); is this a container?") from error


def _native() -> bool:
    return platform.machine() in {"aarch64", "arm64"}
