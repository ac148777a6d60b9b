"""The typed, frozen shape of a stack's configuration, with every default; camelCase in YAML, snake_case here.

`StackKeys` and its parts are what a stack file may say, `StackConfig` and its parts what the program gets.
"""

from infra.config.ray import RayConfig, RayKeys
from infra.config.section import Section
from infra.config.values import fields
from infra.config.values.ssh_keys import Secret
from infra.versions import K3S, K3S_INSTALL_SCRIPT_SHA256


class HostConfig(Section):
    """One Pi.

    Attributes:
        name: Its hostname; names its node and its resources, too.
        address: IP address, v4 or v6.
        role: "server" or "agent", in the sense of k3s.
        host_key: `<type> <base64>`; None only where the stack says insecureHostKeys.
        memory_mib: Memory in MiB; None if not given.
        cpus: Number of cores; None if not given.
        user: Who logs in there; None for the stack's user.
        port: Port of its SSH server; None for the stack's port.
        sudo_password: What its sudo asks for; None for the stack's password.
    """

    name: fields.HostName
    address: fields.Address
    role: fields.Role
    host_key: fields.HostKey | None = None
    memory_mib: fields.HostMemory | None = None
    cpus: fields.HostCpus | None = None
    user: fields.User | None = None
    port: fields.Port | None = None
    sudo_password: fields.SudoPassword | None = None


class ProxyConfig(Section):
    """A jump host: the only way to the Pis, reached by SSH with the same key.

    Attributes:
        address: IP address or name.
        port: Port of its SSH server.
        user: Who logs in there; None for the stack's user.
        host_key: As that of a Pi.
    """

    address: fields.JumpHost
    port: fields.Port = 22
    user: fields.User | None = None
    host_key: fields.HostKey | None = None


class _SshLogin(Section):
    user: fields.User | None = None
    port: fields.Port = 22
    proxy: ProxyConfig | None = None


class SshKeys(_SshLogin):
    """What a stack file may say under `ssh`."""

    private_key_file: fields.Text | None = None


class SshConfig(_SshLogin):
    """How to log in on every Pi.

    Attributes:
        user: Who logs in, and may run sudo; None where every host has a user of its own.
        port: Port of the SSH server.
        proxy: Jump host; None where the Pis are reached directly.
        private_key: Contents of a private key without passphrase; None where the SSH agent is used.
        sudo_password: What sudo asks for; None where it asks for nothing.
    """

    private_key: Secret | None = None
    sudo_password: Secret | None = None

    def user_on(self, host: HostConfig) -> str:
        """Return who logs in on a host."""
        user = host.user or self.user
        assert user is not None, "the rules of infra/config/rules.py let no such stack pass"
        return user

    def port_on(self, host: HostConfig) -> int:
        """Return the port of a host's SSH server."""
        return host.port or self.port

    def sudo_password_on(self, host: HostConfig) -> Secret | None:
        """Return what sudo asks for on a host."""
        return host.sudo_password or self.sudo_password


class K3sConfig(Section):
    """The Kubernetes to install.

    Attributes:
        version: Release tag.
        mirror: http(s) directory laid out as the releases are, no slash at its end; None for the releases.
        install_script_sha256: Sum that the install script must have.
    """

    version: fields.K3sVersion = K3S
    mirror: fields.Mirror | None = None
    install_script_sha256: fields.Sha256 = K3S_INSTALL_SCRIPT_SHA256


class PiJobConfig(Section):
    """The parallel π Job.

    Attributes:
        completions: Pods that have to succeed.
        parallelism: Pods at the same time.
        samples: Random points of each completion.
        seed: Root seed; each completion draws from its own stream of it.
    """

    completions: fields.Completions = 3
    parallelism: fields.Parallelism = 3
    samples: fields.Samples = 10_000_000
    seed: fields.Seed = 0


class _StackSettings(Section):
    platform: fields.Platform
    arch: fields.Arch = "arm64"
    namespace: fields.Namespace = "ray"
    hosts: tuple[HostConfig, ...] = ()
    insecure_host_keys: fields.Switch = False
    k3s: K3sConfig = K3sConfig()
    workers: fields.Workers = 3
    pi_job: PiJobConfig = PiJobConfig()


class StackKeys(_StackSettings):
    """What a stack file may say, key by key; Pulumi.yaml declares the same."""

    ssh: SshKeys = SshKeys()
    ssh_private_key: fields.Text = ""
    sudo_password: fields.DigitsOrText = ""
    registry_password: fields.DigitsOrText = ""
    ray: RayKeys = RayKeys()


class StackConfig(_StackSettings):
    """The whole configuration of a stack, every default filled in.

    Attributes:
        platform: "pi" or "local"; on "local" only `workers` and `ray` have a meaning.
        arch: "arm64" or "amd64", as Kubernetes says it.
        namespace: Kubernetes namespace of everything the program declares.
        hosts: The Pis in the order given; the first server is the one that starts the cluster.
        insecure_host_keys: Whether a host may go without a host key.
        workers: Number of Ray workers, the head not counted.
    """

    ssh: SshConfig
    ray: RayConfig

    @property
    def servers(self) -> tuple[HostConfig, ...]:
        """The hosts that run the control plane; the first one starts the cluster, the others join it."""
        return tuple(host for host in self.hosts if host.role == "server")

    @property
    def agents(self) -> tuple[HostConfig, ...]:
        """The hosts that only run pods."""
        return tuple(host for host in self.hosts if host.role == "agent")
