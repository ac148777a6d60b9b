"""Types of single values below `ray` that are Kubernetes' or KubeRay's: groups of workers, jobs, services."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from infra import names
from infra.config.problems import InvalidValueError
from infra.config.values.checks import as_list, as_switch, as_text, one_of, pattern, text
from infra.config.values.cron import parse_schedule
from infra.config.values.fields import MAX_INT32, HostName
from infra.config.values.numbers import whole_number
from infra.config.values.runtime_env import parse_runtime_env

# RFC 1035: KubeRay makes names of Services from them.
_GROUP = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
# KubeRay adds five characters and a hyphen for a cluster, which may have 53.
_WORK = re.compile(r"[a-z]([a-z0-9-]{0,45}[a-z0-9])?")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_NAME}")
_LABEL_VALUE = re.compile(rf"({_NAME})?")
_GATE = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_ROUTE = re.compile(r"/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?")
_KEY_RULE = "must be the key of a label, as Kubernetes has them"
_LABEL_REMEDY = "`kubectl get nodes --show-labels` prints the labels of your Nodes."
_RAYS_PORTS = {
    *(names.GCS_PORT, names.DASHBOARD_PORT, names.DASHBOARD_AGENT_PORT, names.DASHBOARD_AGENT_GRPC_PORT),
    *(names.NODE_MANAGER_PORT, names.OBJECT_MANAGER_PORT, names.RUNTIME_ENV_AGENT_PORT, names.METRICS_PORT),
    *range(names.CLIENT_SERVER_PORT, names.MAX_WORKER_PORT + 1),
}


def _group_name(value: str) -> str:
    if not _GROUP.fullmatch(value):
        raise InvalidValueError(
            "must be a name of at most 20 small letters, digits and hyphens that begins with a letter and "
            "does not end with a hyphen",
            "Choose a name such as small.",
        )
    if value in ("head", "headgroup"):
        raise InvalidValueError("is the name of the head in Ray's own tools", "Choose another name.")
    return value


def _node_selector(value: object) -> dict[str, str]:
    labels = _mapping(value, "disk: ssd")
    for key, label in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise InvalidValueError(f"has {key[:64]}, which {_KEY_RULE}", _LABEL_REMEDY)
        if not isinstance(label, str) or not _LABEL_VALUE.fullmatch(label):
            raise InvalidValueError(
                f"has a value for {key} that no label can have",
                'Write text of at most 63 letters, digits, "-", "_" and "."; numbers and true in quotes.',
            )
    return labels


def _feature_gates(value: object) -> dict[str, bool]:
    gates = _mapping(value, "RayCronJob: true")
    for gate in gates:
        if not _GATE.fullmatch(gate):
            raise InvalidValueError(
                f"has {gate[:64]}, which is not the name of a feature gate",
                "https://github.com/ray-project/kuberay/blob/master/ray-operator/pkg/features/features.go "
                "lists them.",
            )
    return {gate: as_switch(on) for gate, on in gates.items()}


def _mapping(value: object, example: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidValueError("must hold keys with values", f"Write one per line below it: `{example}`.")
    return dict(value)


def _entrypoint(value: str) -> str:
    if not value.strip() or "\n" in value:
        raise InvalidValueError("must be a command on one line", 'Write it as in "python primes.py".')
    return value


def _submission_mode(value: object) -> str:
    if value == "SidecarMode":
        raise InvalidValueError(
            "cannot work here: KubeRay gives that container no security context, and Ray's namespace takes "
            "only restricted pods",
            "Write HTTPMode; it needs no pod of its own.",
        )
    return as_text(value)


def _serve_port(value: int) -> int:
    if value in _RAYS_PORTS:
        raise InvalidValueError("is a port of Ray's own", "Choose another one, as in 8000.")
    return value


def _serve_deployment(value: object) -> dict[str, Any]:
    options = _mapping(value, "name: Hello")
    if not isinstance(options.get("name"), str):
        raise InvalidValueError(
            "has no name", "Write `- name: …` with the name of the class or function that is a deployment."
        )
    return options


Mode = Annotated[
    Literal["deployments", "kuberay"],
    one_of(("deployments", "kuberay"), "Write kuberay for Ray by the KubeRay operator, or delete the line."),
]
GroupName = Annotated[str, text(_group_name)]
WorkName = Annotated[
    str,
    pattern(
        _WORK,
        "must be a name of at most 47 small letters, digits and hyphens that begins with a letter and does "
        "not end with a hyphen",
        "Choose a name such as primes.",
    ),
]
HostNames = Annotated[tuple[HostName, ...], BeforeValidator(as_list)]
NodeSelector = Annotated[dict[str, str], BeforeValidator(_node_selector)]
LabelKey = Annotated[str, pattern(_LABEL_KEY, _KEY_RULE, "`kubectl describe node` prints a Node's taints.")]
LabelValue = Annotated[
    str,
    pattern(
        _LABEL_VALUE,
        "must be the value of a label, as Kubernetes has them",
        'Write text of at most 63 letters, digits, "-", "_" and "."; numbers and true in quotes.',
    ),
]
TolerationOperator = Annotated[
    Literal["Equal", "Exists"], one_of(("Equal", "Exists"), "Write Exists for a taint of any value.")
]
TaintEffect = Annotated[
    Literal["NoSchedule", "PreferNoSchedule", "NoExecute"],
    one_of(("NoSchedule", "PreferNoSchedule", "NoExecute"), "Delete the line for all effects."),
]
Seconds = Annotated[int, whole_number(1, MAX_INT32, "Give seconds, as in 600.")]
SecondsOrZero = Annotated[int, whole_number(0, MAX_INT32, "Give seconds, as in 600.")]
OperatorMemory = Annotated[
    int, whole_number(64, 8192, "It was seen to take 48 MiB; 256 leave room for many jobs.", mib=True)
]
OperatorCpu = Annotated[int, whole_number(20, 8000, "Give thousandths of a CPU, as in 200.")]
FeatureGates = Annotated[dict[str, bool], BeforeValidator(_feature_gates)]
Entrypoint = Annotated[str, text(_entrypoint)]
RuntimeEnv = Annotated[dict[str, Any], BeforeValidator(parse_runtime_env)]
SubmissionMode = Annotated[
    Literal["HTTPMode", "K8sJobMode"],
    one_of(("HTTPMode", "K8sJobMode"), "Delete the line for HTTPMode, which needs no pod of its own."),
    BeforeValidator(_submission_mode),
]
Retries = Annotated[int, whole_number(0, 10, "Each attempt makes another cluster; 0 is for none.")]
JobCluster = Annotated[
    Literal["shared", "own"],
    one_of(("shared", "own"), "Write shared for the stack's own cluster, own for one that the job gets."),
]
JobResult = Annotated[
    Literal["SUCCEEDED", "FAILED", "STOPPED"],
    one_of(("SUCCEEDED", "FAILED", "STOPPED"), "Write how the job has ended."),
]
Removed = Annotated[
    Literal["cluster", "workers"],
    one_of(("cluster", "workers"), "Write workers to keep the head, and so the job's log."),
]
Schedule = Annotated[str, text(parse_schedule)]
ImportPath = Annotated[
    str,
    pattern(
        _MODULE,
        "must name an application in a module",
        "Write MODULE:NAME, as in hello:app for `app = Hello.bind()` in hello.py.",
    ),
]
ServePort = Annotated[
    int,
    BeforeValidator(_serve_port),
    whole_number(1024, 65535, "Below 1024 only root may listen."),
]
Route = Annotated[str, pattern(_ROUTE, "must be a path", "Write one as in / or /hello.")]
ServeDeployment = Annotated[dict[str, Any], BeforeValidator(_serve_deployment)]
ServeDeployments = Annotated[tuple[ServeDeployment, ...], BeforeValidator(as_list)]
