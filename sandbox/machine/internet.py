"""The hosts' way to the internet, for machines that have one: needed with the real k3s releases only.

And a host that has no way at all.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sandbox.machine.docker import BRIDGE, SUBNET
from sandbox.machine.process import run
from sandbox.machine.runtime import SUFFIX

_TABLE = f"piray-sandbox{SUFFIX}"
_ALONE = f"piray-sandbox-alone{SUFFIX}"
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


@contextmanager
def alone(addresses: Sequence[str], ports: Sequence[int]) -> Iterator[None]:
    """Let hosts reach some ports of this machine and nothing else beyond their own network, inside the block.

    What this machine begins, a login say, is answered.

    Args:
        addresses: The hosts'.
        ports: The ports on this machine.
    """
    source = ["ip", "saddr", f"{{ {', '.join(addresses)} }}"]
    opened = f"{{ {', '.join(map(str, ports))} }}"
    run("nft", "add", "table", "ip", _ALONE)
    try:
        for chain in ("input", "forward"):
            run("nft", "add", "chain", "ip", _ALONE, chain, f"{{ type filter hook {chain} priority -10 ; }}")
        answers = [*source, "ct", "state", "established,related", "accept"]
        run("nft", "add", "rule", "ip", _ALONE, "input", *answers)
        run("nft", "add", "rule", "ip", _ALONE, "input", *source, "tcp", "dport", opened, "accept")
        run("nft", "add", "rule", "ip", _ALONE, "input", *source, "reject")
        run("nft", "add", "rule", "ip", _ALONE, "forward", *source, "oifname", "!=", BRIDGE, "reject")
        yield
    finally:
        run("nft", "delete", "table", "ip", _ALONE)
