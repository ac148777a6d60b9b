"""What the scripts of Debian's packages would do, and what images/ray/Dockerfile does with useradd."""

from pathlib import Path

from infra.image.contents.deb import MERGED
from infra.versions import IMAGE_PYTHON

HOME = "home/ray"
# As in the official image, so that one pod spec fits both.
UID, GID = 1000, 100

_PASSWD = f"""\
root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
ray:x:{UID}:{GID}::/{HOME}:/bin/bash
"""
_GROUP = f"""\
root:x:0:
tty:x:5:
users:x:{GID}:
nogroup:x:65534:
"""
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_LINKS = {
    "usr/bin/python3": f"python{IMAGE_PYTHON}",
    "usr/bin/python": "python3",
    # Where OpenSSL looks.
    "usr/lib/ssl/cert.pem": f"/{_BUNDLE}",
    "usr/lib/ssl/certs": "/etc/ssl/certs",
    "var/run": "/run",
}


def set_up(tree: Path) -> None:
    """Make a system out of unpacked packages: its users, certificates, links and the home.

    Args:
        tree: A directory that stands for the image's root.
    """
    files = {
        "etc/passwd": _PASSWD,
        "etc/group": _GROUP,
        "etc/nsswitch.conf": (tree / "usr/share/libc-bin/nsswitch.conf").read_text(),
        _BUNDLE: _certificates(tree),
    }
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    merged = {name: f"usr/{name}" for name in MERGED if (tree / "usr" / name).is_dir()}
    for name, target in (merged | _LINKS).items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Only an empty directory of a package can be there.
        if path.is_dir():
            path.rmdir()
        path.symlink_to(target)
    (tree / HOME).mkdir(parents=True)
    # Debian's pip may not install into Debian's Python; in an image nothing else does.
    (tree / f"usr/lib/python{IMAGE_PYTHON}/EXTERNALLY-MANAGED").unlink(missing_ok=True)


def _certificates(tree: Path) -> str:
    """Return all of Mozilla's authorities."""
    found = sorted((tree / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    return "".join(f"{path.read_text().strip()}\n" for path in found)
