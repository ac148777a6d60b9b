"""A k3s cluster on prepared hosts: servers one after the other, then the agents, all at once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_command import remote

from infra.config.model import HostConfig, SshConfig
from infra.config.ray_image import ImageSource
from infra.hosts.component import PiHosts
from infra.k3s.config_files import (
    render_agent_config,
    render_kubeconfig,
    render_registry_entries,
    render_server_config,
)
from infra.k3s.release import K3sRelease, image_archive_name
from infra.names import K3S_TYPE
from infra.remote.command import Script, answer, remote_script

INSTALL_FILES = (
    "remote/remove_k3s.sh",
    "remote/clock.sh",
    "k3s/images.sh",
    "k3s/registries.sh",
    "k3s/service.sh",
    "k3s/k3s.sh",
)

# Seconds. A first start on a slow SD card unpacks 70 MB and makes every certificate.
_WAIT_S = 600
# Seconds that a service which has said that it is ready must go on without a restart; the Node comes next.
_STABLE_S = 3
_REFUSED_S = 30
# k3s writes a host's new address once a minute, and was seen to take 48 s after it ran.
_MISMATCH_S = 150
_DRAIN_S = 120
# The leader among the servers was seen to take 46 s for itself.
_DELETE_S = 150
# As in registries.sh.
REGISTRY_CA_FILE = "/etc/rancher/k3s/piray-registry-ca.crt"
# Answers to anybody; without a mirror of its own a host gets k3s's images from there.
_HUB_URL = "https://registry-1.docker.io/v2/"


@dataclass(frozen=True, kw_only=True)
class K3sClusterArgs:
    """What a cluster is made of.

    Attributes:
        servers: The hosts that run the control plane; the first one starts the cluster, the others join it.
        agents: The hosts that only run pods.
        ssh: How to log in on each of them.
        release: The k3s to install.
        images: The images of pods, which a mirror may have as archives.
        registry: The registry that the image's name begins with.
        image_source: How the hosts get the image.
    """

    servers: Sequence[HostConfig]
    agents: Sequence[HostConfig]
    ssh: SshConfig
    release: K3sRelease
    images: Sequence[str]
    registry: str
    image_source: ImageSource


class K3sCluster(pulumi.ComponentResource):
    """Kubernetes on hosts that are ready for it.

    After `up` every host is a Ready Node named as in the config. `destroy` and the removal of a single host
    from the config run the same steps backwards: its pods are moved away, its Node is deleted, k3s is
    uninstalled.

    Args:
        name: Name of the resource.
        args: Its hosts, and the k3s to install.
        prepared: What makes these hosts ready.
        opts: Options of the resource.

    Attributes:
        kubeconfig: Admin kubeconfig with the first server's address in it. Secret.
        provider: Kubernetes provider for what runs on the cluster; whoever uses it is deleted before k3s is.
            It does not wait for the agents.
        nodes: What there is when every host is a Ready Node.
    """

    kubeconfig: pulumi.Output[str]
    provider: kubernetes.Provider
    nodes: Sequence[pulumi.Resource]

    def __init__(
        self,
        name: str,
        args: K3sClusterArgs,
        prepared: PiHosts,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        # Nothing is installed anywhere before every host has passed its checks: children wait for their
        # component. If each install named all hosts, the graph would grow with the square of their number.
        after_hosts = pulumi.ResourceOptions(depends_on=[prepared])
        super().__init__(K3S_TYPE, name, None, pulumi.ResourceOptions.merge(opts, after_hosts))
        self._ssh = args.ssh
        self._release = args.release
        self._images = args.images
        self._registry = args.registry
        self._image_source = args.image_source
        self._verified = prepared.verified
        self._servers = args.servers
        self._first_server = args.servers[0]
        first = self._install(self._first_server, pulumi.Output.from_input(self._first_server_config()))
        self._credentials = self._read_credentials(first)
        # k3s says that it runs before its own Node is there. That one goes with its cluster, whose end is the
        # end of this server: there is nothing to take back.
        joined = self._join_servers()
        servers = [self._node(self._first_server, first, undo=False), *joined]
        last = [self._credentials, *joined][-1]
        self.nodes = [*servers, *self._join_agents(args.agents, after=last)]
        self.kubeconfig = self._render_kubeconfig()
        # A server that joins makes the API server stop for a moment; an agent does not.
        self.provider = self._declare_provider(name, servers)
        self.register_outputs({"kubeconfig": self.kubeconfig})

    def _join_servers(self) -> list[remote.Command]:
        """Let the other servers join one after the other; return their Nodes."""
        last = self._credentials
        nodes = []
        for server in self._servers[1:]:
            last = self._join(server, self._joining_server_config(server), after=last)
            nodes.append(last)
        return nodes

    def _join_agents(self, agents: Sequence[HostConfig], after: pulumi.Resource) -> list[remote.Command]:
        """Let all agents join at once; return their Nodes."""
        token = self._credential("agent_token_full")
        return [
            self._join(agent, token.apply(partial(self._agent_config, agent)), after=after)
            for agent in agents
        ]

    def _render_kubeconfig(self) -> pulumi.Output[str]:
        address = str(self._first_server.address)
        name = f"{pulumi.get_project()}-{pulumi.get_stack()}"
        text = self._credential("kubeconfig")
        return pulumi.Output.secret(text.apply(lambda text: render_kubeconfig(text, address, name)))

    def _declare_provider(self, name: str, nodes: Sequence[pulumi.Resource]) -> kubernetes.Provider:
        return kubernetes.Provider(
            f"{name}-provider",
            kubeconfig=self.kubeconfig,
            # While this stays the same, another kubeconfig (a renewed certificate) is an update; without it
            # the provider, and with it every object on the cluster, would be replaced.
            cluster_identifier=f"{pulumi.get_project()}/{pulumi.get_stack()}/{name}",
            # The cluster is the stack's own: what an `up` that was cut off has made is taken over instead of
            # refused, and what others have changed of it (`kubectl scale`) is set back.
            upsert_existing_objects=True,
            enable_patch_force=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=nodes),
        )

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
        return [str(server.address) for server in self._servers]

    def _credential(self, key: str) -> pulumi.Output[str]:
        said = answer(self._first_server, self._credentials)
        return pulumi.Output.secret(said.apply(lambda said: said[key]))

    def _install(
        self, host: HostConfig, k3s_config: pulumi.Output[str], *after: pulumi.Resource
    ) -> remote.Command:
        """Install k3s on a host; without the first server's credentials it makes tokens of its own."""
        first = host == self._first_server
        variables = {
            "ROLE": host.role,
            "VERSION": self._release.version,
            "BINARY_NAME": self._release.binary_name,
            "BINARY_URL": self._release.binary_url,
            "SUMS_URL": self._release.sums_url,
            "INSTALL_SCRIPT_URL": self._release.install_script_url,
            "INSTALL_SCRIPT_SHA256": self._release.install_script_sha256,
        }
        rest = {
            "IMAGES_URL": self._release.images_url or "",
            "IMAGE_SUMS_URL": self._release.image_sums_url or "",
            # Only a mirror has archives: another image is nothing to the hosts of a stack without one.
            "IMAGE_ARCHIVES": " ".join(map(image_archive_name, self._images))
            if self._release.image_sums_url
            else "",
            "HUB_URL": _HUB_URL,
            **self._registry_variables(),
            "MAKE_TOKENS": "1" if first else "0",
            "WAIT_S": str(_WAIT_S),
            "REFUSED_S": str(_REFUSED_S),
            "STABLE_S": str(_STABLE_S),
        }
        script = Script(
            files=INSTALL_FILES,
            variables=k3s_config.apply(lambda text: {**variables, "CONFIG": text, **rest}),
            undo=True,
            secret=not first,
            triggers=[host.role],
        )
        opts = pulumi.ResourceOptions(parent=self, depends_on=[self._verified[host.name], *after])
        return remote_script(f"{host.name}-install", host, self._ssh, script, opts)

    def _registry_variables(self) -> dict[str, str]:
        source = self._image_source
        mirror, config = render_registry_entries(
            self._registry,
            plain_http=source.plain_http,
            ca_file=REGISTRY_CA_FILE if source.ca_certificate else None,
        )
        return {
            "REGISTRY": self._registry,
            "REGISTRY_MIRROR": mirror,
            "REGISTRY_CONFIG": config,
            "REGISTRY_NEEDED": "1" if source.plain_http or source.ca_certificate else "0",
            "REGISTRY_CA": source.ca_certificate or "",
        }

    def _join(
        self, host: HostConfig, k3s_config: pulumi.Output[str], after: pulumi.Resource
    ) -> remote.Command:
        """Install k3s on a host that joins, and wait on the first server for its Node.

        The Node's Command depends on the install, so it is deleted first: drain, delete Node, then uninstall.
        """
        return self._node(host, self._install(host, k3s_config, after), undo=True)

    def _node(self, host: HostConfig, install: remote.Command, *, undo: bool) -> remote.Command:
        script = Script(
            files=["k3s/node.sh"],
            variables={
                "NODE": host.name,
                "ADDRESS": str(host.address),
                "WAIT_S": str(_WAIT_S),
                "MISMATCH_S": str(_MISMATCH_S),
                "DRAIN_S": str(_DRAIN_S),
                "DELETE_S": str(_DELETE_S),
            },
            undo=undo,
            # A host that is uninstalled to be installed anew gets a new password: its old Node must go first.
            triggers=[install.id],
        )
        opts = pulumi.ResourceOptions(parent=self, depends_on=[install])
        return remote_script(f"{host.name}-node", self._first_server, self._ssh, script, opts)

    def _read_credentials(self, first: remote.Command) -> remote.Command:
        sha256 = hashlib.sha256(self._first_server_config().encode()).hexdigest()
        script = Script(
            files=["k3s/credentials.sh"],
            # Not used by the script: a new install or another config has the credentials read again.
            variables=first.stdout.apply(
                lambda text: {"INSTALLED": text, "CONFIG_SHA256": sha256, "WAIT_S": str(_WAIT_S)}
            ),
            secret=True,
        )
        opts = pulumi.ResourceOptions(parent=self, depends_on=[first])
        return remote_script("k3s-credentials", self._first_server, self._ssh, script, opts)
