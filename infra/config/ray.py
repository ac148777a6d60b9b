"""The shape of `ray` in a stack's configuration: head, groups of workers, and what KubeRay does besides."""

from collections.abc import Mapping
from typing import Any

from infra.config.ray_image import ImageKeys, ImageSource
from infra.config.section import Section
from infra.config.values import fields, ray_fields
from infra.names import REGISTRY_SECRET
from infra.versions import KUBERAY_IMAGE, RAY

# The group that `piray:workers` is short for.
ONLY_GROUP = "worker"


class Toleration(Section):
    """A taint of Nodes that the workers of a group bear.

    https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/

    Attributes:
        key: Key of the taint; None, with operator Exists, for every taint.
        operator: "Equal" or "Exists".
        value: Value of the taint; None with Exists.
        effect: "NoSchedule", "PreferNoSchedule" or "NoExecute"; None for all of them.
        toleration_seconds: How long a taint with NoExecute is borne; None for ever.
    """

    key: ray_fields.LabelKey | None = None
    operator: ray_fields.TolerationOperator = "Equal"
    value: ray_fields.LabelValue | None = None
    effect: ray_fields.TaintEffect | None = None
    toleration_seconds: ray_fields.Seconds | None = None


class GroupKeys(Section):
    """What a stack file may say of a group; None stands for what depends on other keys."""

    name: ray_fields.GroupName
    replicas: fields.Workers
    min_replicas: fields.Workers | None = None
    max_replicas: fields.Workers | None = None
    cpus: fields.Cpus | None = None
    memory_mib: fields.WorkerMemory | None = None
    hosts: ray_fields.HostNames = ()
    node_selector: ray_fields.NodeSelector = {}
    tolerations: tuple[Toleration, ...] = ()


class WorkerGroup(GroupKeys):
    """Workers that are alike; CPUs and memory (MiB) are those of each.

    Attributes:
        name: Its name, unique in the stack.
        replicas: How many there are; with an autoscaler, how many it begins with.
        min_replicas: The least that the autoscaler leaves.
        max_replicas: The most that it makes; more than the least turns it on.
        hosts: Names of the hosts on which they may run; none for all.
        node_selector: Labels that a Node must have.
        tolerations: Taints that they bear.
    """

    min_replicas: fields.Workers
    max_replicas: fields.Workers
    cpus: fields.Cpus
    memory_mib: fields.WorkerMemory


class OperatorConfig(Section):
    """The KubeRay operator; memory and CPU are its limits.

    Attributes:
        image: Image reference with a fixed tag or digest.
        memory_mib: Memory in MiB.
        cpu_millis: Thousandths of a CPU.
        feature_gates: What is switched on or off of its unfinished features.
    """

    image: fields.Image = KUBERAY_IMAGE
    memory_mib: ray_fields.OperatorMemory = 256
    cpu_millis: ray_fields.OperatorCpu = 200
    feature_gates: ray_fields.FeatureGates = {}


class DeletionRule(Section):
    """What goes of a job's own cluster when the job has ended.

    Attributes:
        status: How the job has ended: "SUCCEEDED", "FAILED" or "STOPPED".
        after_s: Seconds between the end and the removal.
        delete: "cluster", or "workers", after which the head is there with the log.
    """

    status: ray_fields.JobResult
    after_s: ray_fields.SecondsOrZero = 0
    delete: ray_fields.Removed = "cluster"


class RayJobConfig(Section):
    """A RayJob.

    Attributes:
        name: Its name.
        entrypoint: The command that it runs.
        runtime_env: Ray's runtime environment: working_dir, pip, env_vars and so on.
        submission_mode: "HTTPMode", in which the operator submits it, or "K8sJobMode", in which a pod does.
        deadline_s: Seconds after which it is stopped; None for no limit.
        ttl_s: How long a cluster of its own stays after the job, in seconds; None for not at all.
        deletion_rules: In place of that, what goes of it after which end; what no rule names stays.
        backoff_limit: Attempts beyond the first one, each with another cluster.
        cluster: "shared", which is the stack's, or "own".
    """

    name: ray_fields.WorkName
    entrypoint: ray_fields.Entrypoint
    runtime_env: ray_fields.RuntimeEnv = {}
    submission_mode: ray_fields.SubmissionMode = "HTTPMode"
    deadline_s: ray_fields.Seconds | None = None
    ttl_s: ray_fields.SecondsOrZero | None = None
    deletion_rules: tuple[DeletionRule, ...] = ()
    backoff_limit: ray_fields.Retries = 0
    cluster: ray_fields.JobCluster = "shared"


class RayCronJobConfig(RayJobConfig):
    """A RayCronJob: a job, and when it runs.

    Attributes:
        schedule: Five fields as cron has them, or a word such as @daily.
    """

    schedule: ray_fields.Schedule


class RayServiceConfig(Section):
    """A RayService: an application of Ray Serve on a head of its own.

    Attributes:
        name: Its name.
        import_path: Where the application is, `module:name`.
        runtime_env: Ray's runtime environment, which has the module.
        deployments: Options of its deployments, as Serve's own configuration has them.
        port: Port on which it answers.
        route: Path at which it answers.
    """

    name: ray_fields.WorkName
    import_path: ray_fields.ImportPath
    runtime_env: ray_fields.RuntimeEnv = {}
    deployments: ray_fields.ServeDeployments = ()
    port: ray_fields.ServePort = 8000
    route: ray_fields.Route = "/"


class _RaySettings(Section):
    version: fields.RayVersion = RAY
    head_cpus: fields.Cpus = 1
    # Measured, and for a Pi of 4 GB: docs/performance.md.
    head_memory_mib: fields.HeadMemory = 2560
    worker_cpus: fields.Cpus = 3
    worker_memory_mib: fields.WorkerMemory = 1536
    mode: ray_fields.Mode = "deployments"
    idle_timeout_s: ray_fields.Seconds = 60
    operator: OperatorConfig = OperatorConfig()
    jobs: tuple[RayJobConfig, ...] = ()
    services: tuple[RayServiceConfig, ...] = ()
    cron_jobs: tuple[RayCronJobConfig, ...] = ()


class RayKeys(_RaySettings):
    """What a stack file may say under `ray`; None stands for what depends on other keys."""

    image: ImageKeys = ImageKeys()
    runtime_packages: fields.Requirements | None = None
    groups: tuple[GroupKeys, ...] = ()


class RayConfig(_RaySettings):
    """The Ray to run; CPUs and memory (MiB) are both request and limit of a pod.

    Attributes:
        version: Exact Ray version, that of the image.
        image: Image reference with a fixed tag or digest.
        image_source: How the hosts get the image.
        runtime_packages: Requirements that the image lacks.
        mode: "deployments" or "kuberay": who makes the pods.
        groups: The workers; never empty.
        idle_timeout_s: After how many idle seconds the autoscaler lets a worker go.
        operator: The KubeRay operator, in mode kuberay.
        jobs: RayJobs, in mode kuberay.
        services: RayServices, in mode kuberay.
        cron_jobs: RayCronJobs, in mode kuberay.
    """

    image: fields.Image
    image_source: ImageSource
    runtime_packages: fields.Requirements
    groups: tuple[WorkerGroup, ...]

    @property
    def pull_secret(self) -> str | None:
        """Name of the Secret with the password of the image's registry; None where it asks for none."""
        return REGISTRY_SECRET if self.image_source.user else None

    @property
    def workers(self) -> int:
        """Number of workers that are always there, the head not counted."""
        return sum(group.min_replicas for group in self.groups)

    @property
    def is_scaled(self) -> bool:
        """Whether Ray's autoscaler decides how many workers there are."""
        return any(group.min_replicas < group.max_replicas for group in self.groups)


def worker_groups(ray: Mapping[str, Any], workers: int) -> list[dict[str, Any]]:
    """Return the fields of every group of workers, with what depends on other keys.

    Args:
        ray: The fields of RayKeys that could be read; a field with a mistake is missing.
        workers: Number of workers where no groups are given.
    """
    given = ray.get("groups") or [{"name": ONLY_GROUP, "replicas": workers}]
    return [_complete(group, ray) for group in given]


def _complete(group: Mapping[str, Any], ray: Mapping[str, Any]) -> dict[str, Any]:
    share = {"cpus": ray.get("worker_cpus"), "memory_mib": ray.get("worker_memory_mib")}
    number = group.get("replicas")
    defaults = {"min_replicas": number, "max_replicas": number, **share}
    return {**group, **{key: value for key, value in defaults.items() if group.get(key) is None}}
