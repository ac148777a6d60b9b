"""What can be wrong with a simulated Pi's disk, for as long as a block lasts."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.pi.host import Host

# In memory, because a mount needs no device there. The rounding of its contents up to pages is in the margin.
_FULL = """
set -eu
copy=$(mktemp -d /run/full-XXXXXX)
cp -a {place}/. "$copy"
mount -t tmpfs -o "mode=755,size=$(($(du -sk --apparent-size "$copy" | cut -f1) + 512))k" full {place}
cp -a "$copy/." {place}
rm -r "$copy"
dd if=/dev/zero of={place}/.full bs=4k status=none 2>/dev/null || true
"""
_READ_ONLY = """
set -eu
mount --bind {place} {place}
mount -o remount,bind,ro {place}
"""


@contextmanager
def full_disk(host: Host, place: str) -> Iterator[None]:
    """Let a directory have no room left; what is changed in it meanwhile is lost.

    Args:
        host: A host that runs.
        place: The directory: a small one, its contents are copied.
    """
    with _mounted(host, place, _FULL):
        yield


@contextmanager
def read_only(host: Host, place: str) -> Iterator[None]:
    """Let a directory be on a file system that is mounted read-only, as one with errors is.

    Args:
        host: A host that runs.
        place: The directory, e.g. "/boot/firmware".
    """
    with _mounted(host, place, _READ_ONLY):
        yield


@contextmanager
def _mounted(host: Host, place: str, script: str) -> Iterator[None]:
    quoted = shlex.quote(place)
    host.as_root(script.format(place=quoted))
    try:
        yield
    finally:
        host.as_root(f"umount {quoted}")
