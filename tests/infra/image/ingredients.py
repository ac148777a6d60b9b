"""Made-up Debian packages and wheels, as small as they can be."""

import base64
import hashlib
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from infra.image.target import TARGETS

Files = Mapping[str, bytes | str]


def deb(files: Files, links: Mapping[str, str] | None = None, **more: tarfile.TarInfo) -> bytes:
    """Return a Debian package.

    Args:
        files: Contents by path; a path that ends with / is a directory.
        links: Targets of symbolic links, by path.
        more: Other entries.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            data = content.encode() if isinstance(content, str) else content
            entry.size, entry.mode, entry.mtime = len(data), 0o644, 12345
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry, io.BytesIO(data))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        for entry in more.values():
            tar.addfile(entry)
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": b"odd",
        "data.tar.xz": lzma.compress(buffer.getvalue()),
    }
    content = b"!<arch>\n"
    for name, data in members.items():
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        content += data + b"\n" * (len(data) % 2)
    return content


def base_packages(arch: str) -> dict[str, bytes]:
    """Return what stands in for Debian and its Python, by the name of the file."""
    library = elf(arch, needed=())
    return {
        "base_1_all.deb": deb(
            {
                "bin/": "",
                "tmp/": "",
                "usr/share/libc-bin/nsswitch.conf": "hosts: files dns\n",
                "usr/share/ca-certificates/mozilla/B.crt": "second\n",
                "usr/share/ca-certificates/mozilla/A.crt": "first",
                "usr/share/doc/base/copyright": "a licence",
                "usr/share/doc/base/changelog.gz": "what nobody reads in an image",
                "usr/share/man/man1/base.1.gz": "a manual",
            }
        ),
        f"libc_1_{arch}.deb": deb({"lib/libc.so.6": library}, {"lib/libc.so": "libc.so.6"}),
        f"python_1_{arch}.deb": deb(
            {
                "usr/bin/python3.11": elf(arch, needed=("libc.so.6",)),
                "usr/lib/python3.11/json.py": "VALUE = {'a', 'b', 'c'}\n",
                "usr/lib/python3.11/idlelib/window.py": "",
                "usr/lib/python3.11/EXTERNALLY-MANAGED": "",
            }
        ),
    }


def wheel(folder: Path, name: str, files: Files, programs: Mapping[str, str] | None = None) -> Path:
    """Write a wheel of version 1.0 for any Python.

    Args:
        folder: Where it goes.
        name: Of the package.
        files: Contents by path.
        programs: Entry points by the name of the program.
    """
    info = f"{name}-1.0.dist-info"
    scripts = "".join(f"{program} = {entry}\n" for program, entry in (programs or {}).items())
    everything = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{scripts}",
    }
    record = f"{info}/RECORD,,\n"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in everything.items():
            data = content.encode() if isinstance(content, str) else content
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            record += f"{file},sha256={digest},{len(data)}\n"
            archive.writestr(file, data)
        archive.writestr(f"{info}/RECORD", record)
    return path


def sha256(content: bytes) -> str:
    """Return the sum of a content in hex."""
    return hashlib.sha256(content).hexdigest()


def elf(arch: str, needed: tuple[str, ...] = (), alignment: int = 1 << 16, symbols: bytes = b"") -> bytes:
    """Return a library with one segment that is loaded, and symbols for debuggers behind it.

    Args:
        arch: As the stack file names it.
        needed: Libraries that it needs.
        alignment: Of its segment.
        symbols: What is never loaded.
    """
    names = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    at = 64 + 2 * 56
    entries = [(1, names.index(name.encode())) for name in needed]
    size = (len(entries) + 3) * 16
    # DT_STRTAB and DT_STRSZ, then the end of the list; addresses begin at 0x10000.
    table = [*entries, (5, 0x10000 + at + size), (10, len(names)), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *entry) for entry in table)
    loaded = at + size + len(names)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    machine = TARGETS[arch].elf_machine
    header += struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, loaded + len(symbols), 0, 64, 56, 2, 64, 0, 0
    )
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x10000, 0x10000, loaded, loaded, alignment)
    dyn = struct.pack("<IIQQQQQQ", 2, 6, at, 0x10000 + at, 0x10000 + at, size, size, 8)
    return header + load + dyn + dynamic + names + symbols
