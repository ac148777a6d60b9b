"""The typed, frozen shape of a stack's configuration, with every default; camelCase in YAML, snake_case here.

`StackKeys` and its parts are what a stack file may say, `StackConfig` and its parts what the program gets.
"""

from pydantic import BaseModel, ConfigDict

from infra.config.values import fields
from infra.config.values.ssh_keys import Secret
from infra.names import camel_case
from infra.versions import K3S, K3S_INSTALL_SCRIPT_SHA256, RAY


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=camel_case,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )


class HostConfig(_Section):
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


class ProxyConfig(_Section):
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


class _SshLogin(_Section):
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


class K3sConfig(_Section):
    """The Kubernetes to install.

    Attributes:
        version: Release tag.
        mirror: http(s) directory laid out as the releases are, no slash at its end; None for the releases.
        install_script_sha256: Sum that the install script must have.
    """

    version: fields.K3sVersion = K3S
    mirror: fields.Mirror | None = None
    install_script_sha256: fields.Sha256 = K3S_INSTALL_SCRIPT_SHA256


class WorkerGroup(_Section):
    """TEMPORARY stand-in."""

    name: str = "worker"
    replicas: int = 3
    min_replicas: int = 3
    max_replicas: int = 3
    cpus: int = 3
    memory_mib: int = 1536
    hosts: tuple[str, ...] = ()
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, object], ...] = ()


class OperatorConfig(_Section):
    """TEMPORARY stand-in."""

    image: str = "quay.io/kuberay/operator:v1.6.2"
    memory_mib: int = 256
    cpu_millis: int = 200
    feature_gates: dict[str, bool] = {}


class RayJobConfig(_Section):
    """TEMPORARY stand-in."""

    name: str
    entrypoint: str
    runtime_env: dict[str, object] = {}
    submission_mode: str = "HTTPMode"
    deadline_s: int | None = None
    ttl_s: int | None = None
    backoff_limit: int = 0
    cluster: str = "shared"


class RayCronJobConfig(RayJobConfig):
    """TEMPORARY stand-in."""

    schedule: str


class RayServiceConfig(_Section):
    """TEMPORARY stand-in."""

    name: str
    import_path: str
    runtime_env: dict[str, object] = {}
    deployments: tuple[dict[str, object], ...] = ()
    port: int = 8000
    route: str = "/"


class RayKeys(_Section):
    """What a stack file may say under `ray`; None stands for what depends on other keys."""

    version: fields.RayVersion = RAY
    image: fields.Image | None = None
    image_registry_plain_http: fields.Switch = False
    runtime_packages: fields.Requirements | None = None
    head_cpus: fields.Cpus = 1
    # Measured, and for a Pi of 4 GB: docs/performance.md.
    head_memory_mib: fields.HeadMemory = 2560
    worker_cpus: fields.Cpus = 3
    worker_memory_mib: fields.WorkerMemory = 1536
    mode: str = "deployments"
    idle_timeout_s: int = 60
    groups: tuple[WorkerGroup, ...] = ()
    operator: OperatorConfig = OperatorConfig()
    jobs: tuple[RayJobConfig, ...] = ()
    services: tuple[RayServiceConfig, ...] = ()
    cron_jobs: tuple[RayCronJobConfig, ...] = ()


class RayConfig(RayKeys):
    """The Ray to run; CPUs and memory (MiB) are both request and limit of a pod.

    Attributes:
        version: Exact Ray version, that of the image.
        image: Image reference with a fixed tag or digest.
        image_registry_plain_http: Whether the registry of the image speaks HTTP without TLS.
        runtime_packages: Requirements that the image lacks and every job brings.
    """

    image: fields.Image
    runtime_packages: fields.Requirements


class PiJobConfig(_Section):
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


class _StackSettings(_Section):
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
