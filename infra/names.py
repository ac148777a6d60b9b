"""Names, numbers and spellings that more than one module must agree on, each once; imports nothing."""

PROJECT = "piray"

# Type tokens are part of every URN: changing one replaces the resources of a running stack.
HOSTS_TYPE = "piray:infra:PiHosts"
K3S_TYPE = "piray:infra:K3sCluster"
RAY_CLUSTER_TYPE = "piray:infra:RayCluster"
PI_JOB_TYPE = "piray:infra:PiJob"
LOCAL_RAY_TYPE = "piray:infra:LocalRay"
KUBERAY_TYPE = "piray:infra:KubeRayOperator"

# Pulumi runs Commands of this machine in the project's directory. No path of this machine is in it: on
# another one the same inputs must mean the same. The Python is that of the program (Pulumi.yaml), or where
# .venv is gone the one on PATH.
PYTHON = 'PATH="$PWD/.venv/bin:$PATH" python3'

HEAD_SERVICE = "ray-head"
HEAD_DEPLOYMENT = "ray-head"
WORKER_DEPLOYMENT = "ray-worker"
REGISTRY_SECRET = "ray-registry"  # noqa: S105 — the name of an object

# KubeRay mode: the RayCluster, whose token is in a Secret of the same name; and the operator's own Namespace.
RAY_CLUSTER = "ray"
KUBERAY_NAMESPACE = "kuberay-system"

# Labels recommended by https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
LABEL_APP = "app.kubernetes.io/name"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_ARCH = "kubernetes.io/arch"
LABEL_HOSTNAME = "kubernetes.io/hostname"
LABEL_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
# Set by the KubeRay operator on every pod that it makes.
LABEL_RAY_CLUSTER = "ray.io/cluster"
LABEL_RAY_GROUP = "ray.io/group"
LABEL_RAY_NODE_TYPE = "ray.io/node-type"
# What tells pods as they are declared from those of before.
ANNOTATION_REVISION = "piray/revision"

# What an image is from whose name begins with no registry.
DOCKER_HUB = "docker.io"

KUBERNETES_API_PORT = 6443

# Ray picks most ports at random unless told; fixed ones are what a NetworkPolicy can name.
# https://docs.ray.io/en/latest/ray-core/configure.html#ports-configurations
GCS_PORT = 6379
DASHBOARD_PORT = 8265
DASHBOARD_AGENT_PORT = 52365
DASHBOARD_AGENT_GRPC_PORT = 8075
NODE_MANAGER_PORT = 8076
OBJECT_MANAGER_PORT = 8077
RUNTIME_ENV_AGENT_PORT = 8078
METRICS_PORT = 8080
CLIENT_SERVER_PORT = 10001
MIN_WORKER_PORT = 10002
MAX_WORKER_PORT = 10999
# Of Ray Serve's proxies, unless a service has another one.
SERVE_PORT = 8000

# Environment of every Ray process and π pod; read by the workloads to name nodes by host and pod.
ENV_NODE_NAME = "PIRAY_NODE_NAME"
ENV_POD_NAME = "PIRAY_POD_NAME"
ENV_PI_SAMPLES = "PIRAY_PI_SAMPLES"
ENV_PI_SEED = "PIRAY_PI_SEED"


def camel_case(name: str) -> str:
    """Return the name that a field has in YAML, in JSON and among the stack's outputs.

    >>> camel_case("install_script_sha256"), camel_case("k3s_version"), camel_case("workers")
    ('installScriptSha256', 'k3sVersion', 'workers')
    """
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
