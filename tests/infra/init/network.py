"""A network of its own on this machine, with real SSH servers at addresses that belong to nobody."""

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.sandbox.engine.scenario import missing_for_ssh

# Documentation addresses (RFC 5737): routed nowhere.
PI1, PI2, PI3 = "192.0.2.11", "192.0.2.12", "192.0.2.13"
# One whose server is not started yet, and one that nothing has.
LATE, NOBODY = "192.0.2.14", "192.0.2.99"


class Network:
    """Pis as far as host keys go.

    Args:
        holder: Process whose network it is.
        folder: Of keys and settings.

    Attributes:
        fingerprints: Address → fingerprint of its Ed25519 key, as `ssh-keygen -lf` prints it.
        keys: Address → public Ed25519 key, `<type> <base64>`.
    """

    def __init__(self, holder: int, folder: Path) -> None:
        self._holder = holder
        self._folder = folder
        self.fingerprints: dict[str, str] = {}
        self.keys: dict[str, str] = {}

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs another one in this network."""
        return ["nsenter", "--target", str(self._holder), "--net", "--", *command]

    @contextmanager
    def server(self, address: str, *, clone_of: str | None = None) -> Iterator[None]:
        """Let an SSH server with a key of its own, or another's, answer at an address, on port 22."""
        folder = self._folder / (clone_of or address)
        if not folder.exists():
            folder.mkdir()
            _keygen("-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key"))
            self.fingerprints[address] = _keygen("-lf", str(folder / "key.pub")).split()[1]
            self.keys[address] = " ".join((folder / "key.pub").read_text().split()[:2])
        config = folder / f"config-{address}"
        config.write_text(f"ListenAddress {address}\nHostKey {folder / 'key'}\nPidFile none\nUsePAM no\n")
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
        assert sshd is not None
        command = self.inside(sshd, "-D", "-f", str(config), *_without_penalties(sshd, config))
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                self._wait_for(address)
                yield
            finally:
                server.terminate()

    def _wait_for(self, address: str) -> None:
        deadline = time.monotonic() + 60
        while True:
            scanned = subprocess.run(
                self.inside("ssh-keyscan", "-t", "ed25519", address), capture_output=True, check=False
            )
            if scanned.stdout:
                return
            assert time.monotonic() < deadline, f"no SSH server answers at {address}"
            time.sleep(0.05)


def _without_penalties(sshd: str, config: Path) -> list[str]:
    """Return what lets OpenSSH from 9.8 on answer who asks often without a login; older ones always do."""
    option = ["-o", "PerSourcePenalties=no"]
    known = subprocess.run([sshd, "-t", "-f", config, *option], capture_output=True, check=False)
    return [] if known.returncode else option


def _keygen(*arguments: str) -> str:
    return subprocess.run(["ssh-keygen", *arguments], check=True, capture_output=True, text=True).stdout


def missing() -> str:
    """Return why there can be no such network here, or nothing."""
    if os.geteuid() != 0:
        return "a network of its own needs root"
    programs = [name for name in ("unshare", "nsenter", "ip", "ssh-keyscan") if shutil.which(name) is None]
    return missing_for_ssh() or (f"this machine lacks {', '.join(programs)}" if programs else "")


@contextmanager
def network(folder: Path, addresses: Sequence[str] = (PI1, PI2, PI3)) -> Iterator[Network]:
    """Make a network with a server at each address, and with one address more; it ends with the block."""
    Path("/run/sshd").mkdir(mode=stat.S_IRWXU, exist_ok=True)
    every = " && ".join(f"ip address add {address}/24 dev lo" for address in (*addresses, LATE))
    script = f"ip link set lo up && {every} && echo ready && exec sleep infinity"
    with ExitStack() as stack:
        holder = stack.enter_context(
            subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE)
        )
        stack.callback(holder.terminate)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        made = Network(holder.pid, folder)
        for address in addresses:
            stack.enter_context(made.server(address))
        yield made


def quiet(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return an environment without the developer's agent and home."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SSH_", "PULUMI_"))}
    return {**kept, "HOME": str(folder), "COLUMNS": "200", "TERM": "dumb", **variables}
