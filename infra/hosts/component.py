"""Hosts made ready for Kubernetes: checked, kernel options set, rebooted where needed, verified."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
from pulumi_command import remote

from infra.config.load import HostConfig, StackConfig
from infra.names import HOSTS_TYPE
from infra.remote.command import remote_script


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


class PiHosts(pulumi.ComponentResource):
    """Raspberry Pis (or other hosts) on which k3s can be installed.

    After `up` each host has passed the checks and runs with the memory and cpuset controllers. `destroy`
    takes our options off the kernel command line again and removes every file of ours; the host is not
    rebooted for that.

    Attributes:
        verified: By host name, what has ended when the host has passed.
        facts: By host name, one line of JSON about the machine (arch, kernel, model, cores, memoryMib, …).
    """

    verified: dict[str, remote.Command]
    facts: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, config: StackConfig, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(HOSTS_TYPE, name, None, opts)
        taken = TakenNames(config.hosts)
        earlier = pulumi.Output.from_input(None)
        self.verified = {}
        for host in config.hosts:
            prepare = self._prepare(host, config)
            prepared = prepare.stdout.apply(partial(parse_prepared, host))
            # Only the hosts before this one: a host added at the end of the config leaves the others' inputs
            # known in the preview.
            variables = pulumi.Output.all(prepared, earlier).apply(
                lambda known: verify_variables(known[0], taken.take(known[0]))
            )
            self.verified[host.name] = self._verify(host, config, prepare, variables)
            earlier = waited_for(variables)
        self.facts = {host: command.stdout for host, command in self.verified.items()}
        self.register_outputs({"facts": self.facts})

    def _prepare(self, host: HostConfig, config: StackConfig) -> remote.Command:
        return remote_script(
            f"{host.name}-prepare",
            host,
            config.ssh,
            ["remote/remove_k3s.sh", "hosts/prepare.sh"],
            {"ARCH": config.arch},
            undo=True,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _verify(
        self,
        host: HostConfig,
        config: StackConfig,
        prepare: remote.Command,
        variables: pulumi.Output[Mapping[str, str]],
    ) -> remote.Command:
        return remote_script(
            f"{host.name}-verify",
            host,
            config.ssh,
            ["hosts/verify.sh"],
            variables,
            across_reboot=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[prepare]),
        )


def waited_for(output: pulumi.Output[Any]) -> pulumi.Output[None]:
    """Return an Output without value that is known as soon as another one is: it can be waited for, no more.

    With the resources that the other one is from, each host would depend on all hosts before it: half a
    million dependencies for a thousand hosts.
    """

    async def end() -> None:
        await output.future()

    return pulumi.Output(set(), end(), output.is_known())


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
