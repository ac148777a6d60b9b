"""What prepare.sh says about each host, and whether two of them share a name. Pure; no Pulumi."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.config.model import HostConfig

# Seconds by which the clocks of this machine and of the server with the releases may differ. A run that comes
# sooner after another one tells its warnings again.
_LATE_S = 60


@dataclass(frozen=True, kw_only=True)
class PreparedHost:
    """What prepare.sh says about a host.

    Attributes:
        name: Name of the host in the config.
        address: IP address in the config.
        hostname: What the host calls itself.
        machine_id: Contents of its /etc/machine-id.
        boot_id: Boot in which it was prepared.
        rebooting: Whether it was rebooted to put kernel options into effect.
        checked: When it was checked, in seconds since 1970, by the clock of the server with the releases; 0
            where nobody knows.
        warnings: What was found that is no reason to refuse it, a sentence each.
    """

    name: str
    address: str
    hostname: str
    machine_id: str
    boot_id: str
    rebooting: bool
    checked: float = 0.0
    warnings: Sequence[str] = ()

    @property
    def label(self) -> str:
        """Name and address, for messages."""
        return f"{self.name} ({self.address})"


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """What a host shares with another one; empty strings where it shares nothing."""

    hostname: str = ""
    hostname_owner: str = ""
    machine_id: str = ""
    machine_owner: str = ""


class TakenNames:
    """Hostnames and machine ids that hosts have, as one host after the other tells them.

    Args:
        hosts: All hosts of the config.
    """

    def __init__(self, hosts: Iterable[HostConfig]) -> None:
        self._configured = {host.name.lower(): host for host in hosts}
        self._by_hostname: dict[str, PreparedHost] = {}
        self._by_machine: dict[str, PreparedHost] = {}

    def take(self, host: PreparedHost) -> Conflict:
        """Note a host's name and id, and find out whether one of them is already taken.

        Of two hosts with the same hostname the one that comes first keeps it; a hostname that is the
        configured name of another host belongs to that one.

        Args:
            host: The next host in the order of the config.
        """
        name = host.hostname.lower()
        same_name = self._by_hostname.setdefault(name, host)
        same_machine = self._by_machine.setdefault(host.machine_id, host)
        named = self._configured.get(name)
        owner = ""
        if named is not None and named.name != host.name:
            owner = f"{named.name} ({named.address})"
        elif same_name is not host:
            owner = same_name.label
        return Conflict(
            hostname=host.hostname if owner else "",
            hostname_owner=owner,
            machine_id=host.machine_id if same_machine is not host else "",
            machine_owner=same_machine.label if same_machine is not host else "",
        )


def verify_variables(host: PreparedHost, conflict: Conflict) -> dict[str, str]:
    """Return the shell variables of verify.sh."""
    return {
        "REBOOTED_FROM": host.boot_id if host.rebooting else "",
        # Checked on the host, which may have been renamed since prepare.sh last ran.
        "TAKEN_HOSTNAME": conflict.hostname,
        "HOSTNAME_OWNER": conflict.hostname_owner,
        "TAKEN_MACHINE_ID": conflict.machine_id,
        "MACHINE_OWNER": conflict.machine_owner,
    }


def new_warnings(host: PreparedHost, began: float) -> Sequence[str]:
    """Return the warnings of a host that was checked in this run; later runs read the same answer again.

    Args:
        host: What was said about it.
        began: When this run began, in seconds since 1970.
    """
    return [f"{host.label}: {text}" for text in host.warnings] if host.checked > began - _LATE_S else []


def _sentence(finding: Mapping[str, str]) -> str:
    return "; ".join(part for part in (finding["what"], finding["rule"], finding["remedy"]) if part)


def parse_prepared(host: HostConfig, said: Mapping[str, Any]) -> PreparedHost:
    """Return the answer of prepare.sh as an object."""
    return PreparedHost(
        name=host.name,
        address=str(host.address),
        hostname=said["hostname"],
        machine_id=said["machine_id"],
        boot_id=said["boot_id"],
        rebooting=said["rebooting"],
        # A stack that an older piray has made has none.
        checked=said.get("checked", 0.0),
        warnings=[_sentence(finding) for finding in said.get("warnings", ())],
    )
