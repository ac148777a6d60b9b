"""Hosts made ready for Kubernetes: checked, kernel options set, rebooted where needed, verified."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pulumi
from pulumi_command import remote

from infra.config.model import HostConfig, SshConfig
from infra.hosts.check_list import PREPARE, HostNeeds
from infra.hosts.prepared import PreparedHost, TakenNames, new_warnings, parse_prepared, verify_variables
from infra.names import HOSTS_TYPE
from infra.remote.command import Script, answer, remote_script


class PiHosts(pulumi.ComponentResource):
    """Raspberry Pis (or other hosts) on which k3s can be installed.

    After `up` each host has passed the checks and runs with the memory and cpuset controllers. `destroy`
    takes our options off the kernel command line again and removes every file of ours; the host is not
    rebooted for that.

    Args:
        name: Name of the resource.
        hosts: The hosts; of two with the same hostname the first one keeps it.
        ssh: How to log in on each of them.
        needs: What every host is checked for.
        opts: Options of the resource.

    Attributes:
        verified: By host name, what has ended when the host has passed.
        facts: By host name, what verify.sh found: arch, kernel, model, cores, memoryMib, cgroupVersion, and
            throttled (a list of what the firmware has seen since the boot; None where nobody knows).
    """

    verified: dict[str, remote.Command]
    facts: dict[str, pulumi.Output[Mapping[str, Any]]]

    def __init__(
        self,
        name: str,
        hosts: Sequence[HostConfig],
        ssh: SshConfig,
        needs: HostNeeds,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(HOSTS_TYPE, name, None, opts)
        taken = TakenNames(hosts)
        earlier = pulumi.Output.from_input(None)
        self.verified = {}
        for host in hosts:
            prepare = self._prepare(host, ssh, needs)
            prepared = answer(host, prepare).apply(partial(parse_prepared, host))
            prepared.apply(partial(_warn, prepare, time.time()))
            # Only the hosts before this one: a host added at the end of the config leaves the others' inputs
            # known in the preview.
            variables = pulumi.Output.all(prepared, earlier).apply(
                lambda known: verify_variables(known[0], taken.take(known[0]))
            )
            self.verified[host.name] = self._verify(host, ssh, prepare, variables)
            earlier = waited_for(variables)
        self.facts = {host.name: facts_of(host, self.verified[host.name]) for host in hosts}
        self.register_outputs({"facts": self.facts})

    def _prepare(self, host: HostConfig, ssh: SshConfig, needs: HostNeeds) -> remote.Command:
        return remote_script(
            f"{host.name}-prepare",
            host,
            ssh,
            Script(
                files=PREPARE,
                variables=needs.variables(host),
                undo=True,
            ),
            pulumi.ResourceOptions(parent=self),
        )

    def _verify(
        self,
        host: HostConfig,
        ssh: SshConfig,
        prepare: remote.Command,
        variables: pulumi.Output[Mapping[str, str]],
    ) -> remote.Command:
        return remote_script(
            f"{host.name}-verify",
            host,
            ssh,
            Script(files=["hosts/verify.sh"], variables=variables, across_reboot=True),
            pulumi.ResourceOptions(parent=self, depends_on=[prepare]),
        )


def _warn(prepare: remote.Command, began: float, host: PreparedHost) -> None:
    for text in new_warnings(host, began):
        pulumi.warn(text, prepare)


def facts_of(host: HostConfig, verify: remote.Command) -> pulumi.Output[Mapping[str, Any]]:
    """Return what verify.sh found; no secret, though the Command has some among its inputs."""
    return pulumi.Output.unsecret(answer(host, verify))


def waited_for(output: pulumi.Output[Any]) -> pulumi.Output[None]:
    """Return an Output without value that is known as soon as another one is: it can be waited for, no more.

    With the resources that the other one is from, each host would depend on all hosts before it: half a
    million dependencies for a thousand hosts.
    """

    async def end() -> None:
        await output.future()

    return pulumi.Output(set(), end(), output.is_known())
