"""The daemon of the sandbox leaves a machine as it found it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.machine.docker import BRIDGE

# In a network of its own, so that it disturbs no sandbox that is up.
_LIFE = """
import json, shutil, subprocess, sys
from pathlib import Path
from sandbox.machine.docker import Docker
from sandbox.pi.host import Host, ssh_key
from sandbox.pi.host_image import NAME

def traces():
    said = {}
    for command in ("ip -oneline link", "ip route", "iptables-save", "nft list ruleset"):
        # A machine whose firewall is older has no nft, and iptables-save tells all of it.
        if shutil.which(command.split()[0]):
            said[command] = subprocess.run(command.split(), capture_output=True, text=True).stdout
    # Others mount and unmount meanwhile.
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    said["mounts"] = [line for line in mounts if str(runtime) in line]
    said["processes"] = [
        text
        for text in (file.read_text(errors="replace") for file in Path("/proc").glob("[0-9]*/cmdline"))
        if str(runtime) in text and "-c" not in text.split("\\0")
    ]
    return said

runtime = Path(sys.argv[1])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
before = traces()
docker = Docker(runtime)
docker.start()
docker.import_image(Path(sys.argv[2]), NAME)
host = Host("pi1", docker, ssh_key(runtime / "ssh"))
host.start()
host.wait_until_up()
during = traces()
docker.stop()
print(json.dumps([before, during, traces()]))
"""


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Yield a directory with a short name: a socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="piray-") as name:
        yield Path(name)


def test_a_daemon_that_is_stopped_leaves_no_process_mount_link_or_rule(image: Path, runtime: Path) -> None:
    command = ["unshare", "--net", sys.executable, "-c", _LIFE, str(runtime), str(image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    before, during, after = json.loads(done.stdout)
    assert BRIDGE in during["ip -oneline link"]
    assert during["mounts"]
    assert during["processes"]
    assert after == before
