"""A simulated Raspberry Pi: a container with systemd and sshd, a firmware, and a power plug."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from sandbox.machine.docker import GATEWAY, NETWORK, Docker
from sandbox.machine.process import SandboxError, run
from sandbox.pi.host_image import NAME as IMAGE

_SSH_S = 60
_FIRST_ADDRESS = 10

# Systemd and nested containers: all but raising limits, which this machine may not have either.
_RIGHTS = [
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=systempaths=unconfined",
    "--security-opt=apparmor=unconfined",
    "--cgroupns=private",
    "--device=/dev/kmsg",
    "--device-cgroup-rule=a *:* rwm",
]

# Everything that piray or k3s could leave behind. What changes by itself at a boot is left out, and so is a
# table of the firewall without a rule: iptables makes one whenever it is asked, and never removes it.
_WATCHED = (
    "/boot /etc /opt /usr/local /usr/lib/systemd/system /root "
    "/var/lib/piray /var/lib/rancher /var/lib/kubelet /var/lib/cni /var/lib/containerd /var/lib/etcd "
    "/var/log/pods /var/log/containers /run/k3s /run/flannel /run/containerd"
)
_LISTING = rf"""
set -eu
find {_WATCHED} -printf '%p\t%y %m %u:%g %l\n' 2>/dev/null | sort || true
find {_WATCHED} -type f -exec sha256sum {{}} + 2>/dev/null | sed -E 's/^([0-9a-f]+)  (.*)$/\2\t\1/' || true
systemctl list-unit-files --no-legend | awk '{{ print "unit " $1 "\t" $2 }}'
ip -oneline link | awk '{{ sub(/@.*/, "", $2); print "link " $2 "\t" }}'
nft list tables | while read -r _ family name; do
  rules=$(nft list table "$family" "$name" | grep -P '^\t\t(?!type )' || true)
  if [ -n "$rules" ]; then printf 'table %s %s\t\n' "$family" "$name"; fi
done
ip route | awk '{{ print "route " $0 "\t" }}'
"""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """How a host differs from a Raspberry Pi with a fresh card.

    Attributes:
        card: Changes of the card before the first boot: words of firmware.sh's prepare_card.
        hostname: What the host calls itself; None for its name.
        cgroup: Version of the control groups that it shows, 1 or 2.
        slow_boot_s: Seconds before the system starts.
        boots: Boots after which it stays down; 0 for none.
        sudo_password: What sudo asks user pi for; None where it asks for nothing.
    """

    card: tuple[str, ...] = ()
    hostname: str | None = None
    cgroup: int = 1
    slow_boot_s: int = 0
    boots: int = 0
    sudo_password: str | None = None


PLAIN = Hardware()


@dataclass(frozen=True)
class Host:
    """A simulated Pi.

    Attributes:
        name: Name of the container; pi1 has the first address.
        docker: Daemon that runs it.
        key_file: Private SSH key of user pi.
    """

    name: str
    docker: Docker
    key_file: Path

    @property
    def address(self) -> str:
        """IP address."""
        number = int(self.name.removeprefix("pi"))
        return f"{GATEWAY.rsplit('.', 1)[0]}.{_FIRST_ADDRESS + number}"

    def start(self, hardware: Hardware = PLAIN, *, trusted: Path | None = None) -> None:
        """Make the host anew and switch it on.

        Args:
            hardware: How it differs from a plain one.
            trusted: Certificate of an authority that its programs trust.
        """
        self.remove()
        files = {self.key_file.with_suffix(".pub"): "/home/pi/.ssh/authorized_keys"}
        if trusted is not None:
            files[trusted] = "/etc/ssl/certs/sandbox.pem"
        variables = {
            "container": "docker",
            "PI_CARD": " ".join(hardware.card),
            "PI_CGROUP": str(hardware.cgroup),
            "PI_SLOW_BOOT_S": str(hardware.slow_boot_s),
            "PI_BOOTS": str(hardware.boots),
            "PI_SUDO_PASSWORD": hardware.sudo_password or "",
        }
        self.docker(
            "run",
            "--detach",
            f"--name={self.name}",
            f"--hostname={hardware.hostname or self.name}",
            f"--network={NETWORK}",
            f"--ip={self.address}",
            "--restart=always",
            "--stop-signal=SIGRTMIN+3",
            *_RIGHTS,
            "--tmpfs=/run:exec",
            "--tmpfs=/tmp:exec",
            # Not on the container's own overlay: containerd puts overlays of its own there.
            "--mount=type=volume,destination=/var/lib",
            *(f"--volume={source}:{target}:ro" for source, target in files.items()),
            *(f"--env={name}={value}" for name, value in variables.items()),
            IMAGE,
            "/sbin/firmware",
        )

    def remove(self) -> None:
        """Throw the host and its card away, if there is one."""
        if self.name in self.docker("ps", "--all", "--format={{.Names}}").split():
            self.docker("rm", "--force", "--volumes", self.name)

    def is_there(self) -> bool:
        """Say whether the host has been made and is switched on."""
        return self.name in self.docker("ps", "--format={{.Names}}").split()

    def power_off(self) -> None:
        """Pull the plug."""
        try:
            self.docker("kill", self.name)
        except SandboxError:
            # It is between two boots.
            self.docker("stop", "--time=0", self.name)

    def power_on(self) -> None:
        """Put the plug in again: the same card, a new boot."""
        self.docker("start", self.name)
        self.wait_until_up()

    def reboot(self) -> None:
        """Reboot as its user would, and wait until it is up."""
        before = self.boot_id()
        self.ssh("sudo systemctl reboot", check=False)
        self.wait_for(f"test $(cat /proc/sys/kernel/random/boot_id) != {before}")
        self.wait_until_up()

    def wait_until_up(self, timeout: float = _SSH_S) -> None:
        """Wait until user pi can log in.

        Raises:
            SandboxError: If that is not so after `timeout` seconds.
        """
        # With --wait it was seen to wait for ever, on a host that was running.
        self.wait_for(
            "systemctl is-system-running | grep --quiet --extended-regexp 'running|degraded'", timeout
        )

    def wait_for(self, command: str, timeout: float = _SSH_S) -> None:
        """Wait until a command succeeds on the host.

        Raises:
            SandboxError: If it has not after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.ssh(command)
                return
            except SandboxError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def ssh(self, command: str, *, stdin: str | None = None, check: bool = True) -> str:
        """Run a command as user pi over SSH and return its standard output.

        Raises:
            SandboxError: If it fails, and `check` does not say otherwise.
        """
        arguments = [
            "ssh", "-F", "/dev/null", "-i", str(self.key_file),
            "-o", "BatchMode=yes", "-o", "ConnectTimeout=2",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            f"pi@{self.address}", command,
        ]  # fmt: skip
        if check:
            return run(*arguments, stdin=stdin)
        done = subprocess.run(arguments, input=stdin or "", capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def as_root(self, command: str) -> str:
        """Run a command as root without SSH, for hosts that nobody can log in to."""
        # What the container was started with is none of the command's business.
        return self.docker("exec", "--env=PI_SUDO_PASSWORD=", self.name, "bash", "-c", command)

    @property
    def host_key(self) -> str:
        """Public key of its SSH server, `<type> <base64>`."""
        return " ".join(self.as_root("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    def boot_id(self) -> str:
        """Return the id of the running boot."""
        return self.as_root("cat /proc/sys/kernel/random/boot_id").strip()

    def is_in(self, boot_id: str) -> bool:
        """Say whether the host is up and still runs that boot."""
        try:
            return self.boot_id() == boot_id
        except SandboxError:
            return False

    def cut_ssh(self) -> None:
        """Cut every SSH session of user pi, as a network that goes away would; what it had begun runs on."""
        self.as_root("pkill --signal KILL --uid pi --exact sshd")

    def files(self) -> dict[str, str]:
        """Return everything that piray could leave on the host, by path or name.

        Files with type, mode, owner and sum; units with their state; network interfaces, tables and routes.
        """
        found: dict[str, str] = {}
        for line in self.as_root(_LISTING).splitlines():
            name, _, value = line.partition("\t")
            found[name] = f"{found[name]} {value}" if name in found else value
        return found


def ssh_key(folder: Path) -> Path:
    """Return the private key for user pi, made on first use."""
    file = folder / "id_ed25519"
    if not file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "piray-sandbox", "-f", file)
    return file
