"""The hosts' way to the internet, for machines that have one: needed with the real k3s releases only."""

import shutil
import subprocess
from pathlib import Path

from sandbox.machine.docker import BRIDGE, SUBNET
from sandbox.machine.process import run

_TABLE = "piray-sandbox"
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def open_way() -> None:
    """Let the hosts out through this machine's own address."""
    close_way()
    run("nft", "add", "table", "ip", _TABLE)
    run("nft", "add", "chain", "ip", _TABLE, "out", "{ type nat hook postrouting priority srcnat ; }")
    run(
        "nft",
        "add",
        "rule",
        "ip",
        _TABLE,
        "out",
        "ip",
        "saddr",
        SUBNET,
        "oifname",
        "!=",
        BRIDGE,
        "masquerade",
    )
    _FORWARD.write_text("1")


def close_way() -> None:
    """Undo `open_way`; forwarding stays on, since others may have come to rely on it."""
    if shutil.which("nft"):
        subprocess.run(["nft", "delete", "table", "ip", _TABLE], capture_output=True, check=False)
