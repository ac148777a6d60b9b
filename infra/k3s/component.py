"""A k3s cluster on prepared hosts: servers one after the other, then the agents, all at once."""

import hashlib
import json
from functools import partial

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_command import remote

from infra.config.load import HostConfig, StackConfig
from infra.hosts.component import PiHosts
from infra.k3s.config_files import render_agent_config, render_kubeconfig, render_server_config
from infra.k3s.release import k3s_release
from infra.names import K3S_TYPE
from infra.remote.command import remote_script

# Seconds. A first start on a slow SD card unpacks 70 MB and makes every certificate.
_WAIT_S = 600
_STABLE_S = 10
_MISMATCH_S = 60
_DRAIN_S = 120


class K3sCluster(pulumi.ComponentResource):
    """Kubernetes on the hosts of the stack.

    After `up` every host is a Ready Node named as in the config. `destroy` and the removal of a single host
    from the config run the same steps backwards: its pods are moved away, its Node is deleted, k3s is
    uninstalled.

    Attributes:
        kubeconfig: Admin kubeconfig with the first server's address in it. Secret.
        provider: Kubernetes provider for what runs on the cluster; whoever uses it is deleted before k3s is.
    """

    kubeconfig: pulumi.Output[str]
    provider: kubernetes.Provider

    def __init__(
        self,
        name: str,
        config: StackConfig,
        hosts: PiHosts,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        # Nothing is installed anywhere before every host has passed its checks: children wait for their
        # component. If each install named all hosts, the graph would grow with the square of their number.
        after_hosts = pulumi.ResourceOptions(depends_on=[hosts])
        super().__init__(K3S_TYPE, name, None, pulumi.ResourceOptions.merge(opts, after_hosts))
        self._config = config
        self._first_server = config.first_server
        self._hosts = hosts
        first_config = pulumi.Output.from_input(self._first_server_config())
        first = self._install(self._first_server, first_config)
        self._credentials = self._read_credentials(first)
        last = self._credentials
        nodes: list[pulumi.Resource] = []
        for server in config.servers[1:]:
            last = self._join(server, self._joining_server_config(server), after=last)
            nodes.append(last)
        token = self._credential("agent_token_full")
        for agent in config.agents:
            nodes.append(self._join(agent, token.apply(partial(self._agent_config, agent)), after=last))
        stack, project = pulumi.get_stack(), pulumi.get_project()
        self.kubeconfig = pulumi.Output.secret(
            self._credential("kubeconfig").apply(
                lambda text: render_kubeconfig(text, str(config.first_server.address), f"{project}-{stack}")
            )
        )
        self.provider = kubernetes.Provider(
            f"{name}-provider",
            kubeconfig=self.kubeconfig,
            # While this stays the same, another kubeconfig (a renewed certificate) is an update; without it
            # the provider, and with it every object on the cluster, would be replaced.
            cluster_identifier=f"{project}/{stack}/{name}",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[first, *nodes]),
        )
        self.register_outputs({"kubeconfig": self.kubeconfig})

    def _first_server_config(self) -> str:
        first = self._first_server
        return render_server_config(first.name, str(first.address), self._server_addresses())

    def _joining_server_config(self, server: HostConfig) -> pulumi.Output[str]:
        return pulumi.Output.all(
            token=self._credential("server_token"), agent_token=self._credential("agent_token")
        ).apply(
            lambda tokens: render_server_config(
                server.name,
                str(server.address),
                self._server_addresses(),
                join=str(self._first_server.address),
                **tokens,
            )
        )

    def _agent_config(self, agent: HostConfig, token: str) -> str:
        return render_agent_config(
            agent.name, str(agent.address), join=str(self._first_server.address), token=token
        )

    def _server_addresses(self) -> list[str]:
        return [str(server.address) for server in self._config.servers]

    def _credential(self, key: str) -> pulumi.Output[str]:
        return pulumi.Output.secret(self._credentials.stdout.apply(lambda text: json.loads(text)[key]))

    def _install(
        self, host: HostConfig, k3s_config: pulumi.Output[str], *after: pulumi.Resource
    ) -> remote.Command:
        """Install k3s on a host; without the first server's credentials it makes tokens of its own."""
        k3s = self._config.k3s
        release = k3s_release(k3s.version, self._config.arch, k3s.mirror)
        first = host == self._first_server
        variables = k3s_config.apply(
            lambda text: {
                "ROLE": host.role,
                "VERSION": release.version,
                "BINARY_NAME": release.binary_name,
                "BINARY_URL": release.binary_url,
                "SUMS_URL": release.sums_url,
                "INSTALL_SCRIPT_URL": release.install_script_url,
                "INSTALL_SCRIPT_SHA256": k3s.install_script_sha256,
                "CONFIG": text,
                "MAKE_TOKENS": "1" if first else "0",
                "WAIT_S": str(_WAIT_S),
                "STABLE_S": str(_STABLE_S),
            }
        )
        return remote_script(
            f"{host.name}-install",
            host,
            self._config.ssh,
            ["remote/remove_k3s.sh", "k3s/k3s.sh"],
            variables,
            undo=True,
            secret=not first,
            triggers=[host.role],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._hosts.verified[host.name], *after]),
        )

    def _join(
        self, host: HostConfig, k3s_config: pulumi.Output[str], after: pulumi.Resource
    ) -> remote.Command:
        """Install k3s on a host that joins, and wait on the first server for its Node.

        The Node's Command depends on the install, so it is deleted first: drain, delete Node, then uninstall.
        """
        install = self._install(host, k3s_config, after)
        return remote_script(
            f"{host.name}-node",
            self._first_server,
            self._config.ssh,
            ["k3s/node.sh"],
            {
                "NODE": host.name,
                "ADDRESS": str(host.address),
                "WAIT_S": str(_WAIT_S),
                "MISMATCH_S": str(_MISMATCH_S),
                "DRAIN_S": str(_DRAIN_S),
            },
            undo=True,
            # A host that is uninstalled to be installed anew gets a new password: its old Node must go first.
            triggers=[install.id],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[install]),
        )

    def _read_credentials(self, first: remote.Command) -> remote.Command:
        sha256 = hashlib.sha256(self._first_server_config().encode()).hexdigest()
        return remote_script(
            "k3s-credentials",
            self._first_server,
            self._config.ssh,
            ["k3s/credentials.sh"],
            # Not used by the script: a new install or another config has the credentials read again.
            first.stdout.apply(lambda text: {"INSTALLED": text, "CONFIG_SHA256": sha256}),
            secret=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[first]),
        )
