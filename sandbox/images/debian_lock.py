"""Resolves anew which Debian packages the Ray image takes: `python -m sandbox.images.debian_lock`."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sandbox.images.debian import private_apt
from sandbox.machine.process import SandboxError, run

_FOLDER = Path(__file__).resolve().parents[2] / "images" / "ray"
_ARCHITECTURES = ("amd64", "arm64")
_CHOSEN = re.compile(r"^Inst (\S+) \((\S+) ", re.MULTILINE)
_FIELD = re.compile(r"^(Filename|SHA256): (\S+)$", re.MULTILINE)


def resolve(names: Sequence[str], arch: str) -> str:
    """Return the lock of one architecture: for each package its SHA-256 and its path in Debian's archive.

    Args:
        names: As in `packages.in`.
        arch: Debian's name of the processor.

    Raises:
        SandboxError: If Debian's archive cannot be reached or lacks a package.
    """
    wanted = [name for name in names if not name.startswith("-")]
    dropped = {name[1:] for name in names if name.startswith("-")}
    with tempfile.TemporaryDirectory(prefix="piray-apt-") as folder:
        options = private_apt(Path(folder), arch)
        chosen = dict(
            _CHOSEN.findall(
                run("apt-get", *options, "install", "--simulate", "--no-install-recommends", *wanted)
            )
        )
        if idle := sorted(dropped - chosen.keys()):
            raise SandboxError(f"packages.in: nothing depends on {', '.join(idle)}; delete these lines")
        exact = [f"{name}={version}" for name, version in chosen.items() if name not in dropped]
        text = run("apt-cache", *options, "show", *exact)
    lines = []
    for stanza in text.strip().split("\n\n"):
        fields = dict(_FIELD.findall(stanza))
        lines.append(f"{fields['SHA256']}  {archive_path(fields['Filename'])}\n")
    return "".join(sorted(set(lines), key=lambda line: line.split("  ")[1]))


def archive_path(name: str) -> str:
    """Return where deb.debian.org has a file: updates of security have an archive of their own."""
    return f"debian-security/{name}" if name.startswith("pool/updates/") else f"debian/{name}"


def main() -> None:
    """Write the locks of both architectures."""
    text = (_FOLDER / "packages.in").read_text()
    names = [line for line in text.splitlines() if line and not line.startswith("#")]
    for arch in _ARCHITECTURES:
        (_FOLDER / f"packages-{arch}.lock").write_text(resolve(names, arch))


if __name__ == "__main__":
    main()
