"""The root file system of a simulated Pi: Debian by debootstrap, turned into a Pi by pi/setup.sh."""

import shutil
from pathlib import Path

from sandbox.images.debian import SUITE, debootstrap
from sandbox.machine.cache import cached, key
from sandbox.machine.process import run

_PI = Path(__file__).resolve().parent

# What a Raspberry Pi OS Lite has, as far as the program or its user needs it.
_SYSTEM = [
    "ca-certificates", "cron", "curl", "dbus", "dropbear", "iproute2", "iputils-ping", "kmod", "less",
    "libc-bin", "openssh-server", "procps", "sudo", "systemd", "systemd-sysv",
]  # fmt: skip
# What k3s has inside, and its stand-in takes from Debian.
_BELOW_K3S = [
    "conntrack", "containerd", "containernetworking-plugins", "etcd-client", "etcd-server", "ethtool",
    "ipset", "iptables", "nftables", "runc", "socat",
]  # fmt: skip

_INPUTS: list[str | Path] = [SUITE, *_SYSTEM, *_BELOW_K3S, _PI / "setup.sh", _PI / "firmware.sh"]
# Another one for each content: a daemon that still has an old image must not take it for this one.
NAME = f"pi-host:{key(_INPUTS)}"


def host_image() -> Path:
    """Return the tar file of the root file system.

    Raises:
        SandboxError: If Debian's packages cannot be had.
    """
    return cached("pi-host", _INPUTS, _make) / "root.tar"


def _make(folder: Path) -> None:
    with debootstrap([*_SYSTEM, *_BELOW_K3S]) as root:
        for script, target in (("setup.sh", "root/setup.sh"), ("firmware.sh", "sbin/firmware")):
            shutil.copy(_PI / script, root / target)
            (root / target).chmod(0o755)
        run("chroot", root, "/root/setup.sh")
        (root / "root/setup.sh").unlink()
        run("tar", "--create", f"--file={folder / 'root.tar'}", f"--directory={root}", ".")
