"""Hosts made ready for Kubernetes: checked, kernel options set, rebooted where needed, verified."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command import remote

from infra.config import HostConfig, StackConfig
from infra.names import HOSTS_TYPE
from infra.remote import remote_script


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
    """

    name: str
    address: str
    hostname: str
    machine_id: str
    boot_id: str
    rebooting: bool

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


def find_conflict(
    host: PreparedHost, earlier: Sequence[PreparedHost], others: Sequence[HostConfig]
) -> Conflict:
    """Find out whether a host's name or id is already taken.

    Of two hosts with the same hostname the earlier one in the config keeps it; a hostname that is the
    configured name of another host belongs to that one.

    Args:
        host: The host in question.
        earlier: Hosts before it in the config.
        others: All other hosts of the config.
    """
    name = host.hostname.lower()
    named = next((other for other in others if other.name.lower() == name), None)
    same_name = next((other for other in earlier if other.hostname.lower() == name), None)
    same_machine = next((other for other in earlier if other.machine_id == host.machine_id), None)
    owner = f"{named.name} ({named.address})" if named else same_name.label if same_name else ""
    return Conflict(
        hostname=host.hostname if owner else "",
        hostname_owner=owner,
        machine_id=host.machine_id if same_machine else "",
        machine_owner=same_machine.label if same_machine else "",
    )


class PiHosts(pulumi.ComponentResource):
    """Raspberry Pis (or other hosts) on which k3s can be installed.

    After `up` each host has passed the checks and runs with the memory and cpuset controllers. `destroy`
    takes our options off the kernel command line again and removes every file of ours; the host is not
    rebooted for that.

    Attributes:
        facts: By host name, one line of JSON about the machine (arch, kernel, model, cores, memoryMib, …).
    """

    facts: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, config: StackConfig, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(HOSTS_TYPE, name, None, opts)
        prepares = {host.name: self._prepare(host, config) for host in config.hosts}
        self.facts = {host.name: self._verify(host, config, prepares).stdout for host in config.hosts}
        self.register_outputs({"facts": self.facts})

    def _prepare(self, host: HostConfig, config: StackConfig) -> remote.Command:
        return remote_script(
            f"{host.name}-prepare",
            host,
            config.ssh,
            ["remove_k3s.sh", "prepare.sh"],
            {"ARCH": config.arch},
            undo=True,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _verify(
        self, host: HostConfig, config: StackConfig, prepares: Mapping[str, remote.Command]
    ) -> remote.Command:
        # Only the hosts before this one: a host added at the end of the config leaves the others' inputs
        # known in the preview.
        earlier = config.hosts[: config.hosts.index(host)]
        others = [other for other in config.hosts if other.name != host.name]
        prepared = pulumi.Output.all(*[prepares[each.name].stdout for each in (*earlier, host)]).apply(
            lambda texts: [
                parse_prepared(each, text) for each, text in zip((*earlier, host), texts, strict=True)
            ]
        )
        conflict = prepared.apply(lambda hosts: find_conflict(hosts[-1], hosts[:-1], others))
        return remote_script(
            f"{host.name}-verify",
            host,
            config.ssh,
            ["verify.sh"],
            {
                "REBOOTED_FROM": prepared.apply(
                    lambda hosts: hosts[-1].boot_id if hosts[-1].rebooting else ""
                ),
                # Checked on the host, which may have been renamed since prepare.sh last ran.
                "TAKEN_HOSTNAME": conflict.apply(lambda found: found.hostname),
                "HOSTNAME_OWNER": conflict.apply(lambda found: found.hostname_owner),
                "TAKEN_MACHINE_ID": conflict.apply(lambda found: found.machine_id),
                "MACHINE_OWNER": conflict.apply(lambda found: found.machine_owner),
            },
            across_reboot=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[prepares[host.name]]),
        )


def parse_prepared(host: HostConfig, text: str) -> PreparedHost:
    """Parse the JSON line of prepare.sh."""
    said = json.loads(text)
    return PreparedHost(
        name=host.name,
        address=str(host.address),
        hostname=said["hostname"],
        machine_id=said["machine_id"],
        boot_id=said["boot_id"],
        rebooting=said["rebooting"],
    )
