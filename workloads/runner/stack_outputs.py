"""Decides what a stack's outputs must hold: JSON in, `StackOutputs` out; knows not how a stack is made.

The fields mirror `infra/outputs.py`; `tests/test_contract.py` pins both sides.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

CONTRACT_VERSION = 1
PROJECT_FILE = "Pulumi.yaml"
# A file backend answers in seconds; a network backend that hangs must not hang the runner.
READ_TIMEOUT_S = 120


class StackError(Exception):
    """The stack's outputs cannot be used; the message says what to do."""


def camel_case(field: str) -> str:
    """Return the name that a field has in a stack's outputs; `infra` has the same rule.

    >>> camel_case("ray_version"), camel_case("k3s_version")
    ('rayVersion', 'k3sVersion')
    """
    first, *rest = field.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _whole(value: Any) -> Any:
    # Pulumi keeps every number as a float, so 3 may come back as 3.0.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, Strict(), BeforeValidator(_whole)]


class HostFacts(TypedDict, total=False):
    """What `infra/hosts/verify.sh` found on a host; throttled is None where it cannot be known."""

    arch: str
    kernel: str
    model: str | None
    cores: Whole
    memoryMib: Whole
    cgroupVersion: Whole
    throttled: list[str] | None


class WorkerGroup(TypedDict):
    """A group of workers: how many, from how few to how many, and what each has."""

    replicas: Whole
    minReplicas: Whole
    maxReplicas: Whole
    cpus: Whole
    memoryMib: Whole


class RayJob(TypedDict):
    """What has become of a RayJob: "SUCCEEDED", "FAILED", "STOPPED", or how it goes on; times in ISO 8601."""

    status: str
    reason: str
    message: str
    startTime: str
    endTime: str


class RayService(TypedDict):
    """How a RayService is reached: through a port of a Kubernetes Service, below a route."""

    service: str
    port: Whole
    route: str


class _Outputs(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=camel_case, hide_input_in_errors=True)


class PiJobOutputs(_Outputs):
    """The π Job as a stack declares it.

    Attributes:
        name: Name of the Job.
        completions: Number of indices, one pod and one random stream each.
        parallelism: Pods that may run at the same time.
        samples: Samples of each index.
        seed: Root seed of all streams.
    """

    name: str
    completions: Whole
    parallelism: Whole
    samples: Whole
    seed: Whole


class StackOutputs(_Outputs):
    """Typed outputs of one stack, contract version 1; unknown ones are ignored.

    Attributes:
        platform: "pi", "local", …
        ray_version: Exact Ray version of the cluster.
        ray_token: Bearer token of the Jobs API. Secret.
        workers: Number of Ray workers that are always there, the head not counted.
        runtime_packages: What a job has to bring; nothing with Kubernetes, where the hosts have it.
        wheels_url: Where a mirror may have wheels of what jobs bring; None without a mirror.
        dashboard_url: Where the Jobs API listens; None where a port-forward is needed.
        kubeconfig: Contents of a kubeconfig; None without Kubernetes. Secret.
        namespace: Kubernetes namespace of the Ray pods.
        head_service: Name of the Service in front of the Ray head.
        dashboard_port: Port of the dashboard and Jobs API on the head's pod.
        pi_job: The π Job, if the stack has one.
        hosts: Name of a host → its facts when it was last verified. Empty without hosts of the stack's own,
            or if an older piray made the stack.
        ray_mode: "deployments" or "kuberay"; None without Kubernetes, or if an older piray made the stack.
        ray_cluster: Name of the RayCluster; None without KubeRay.
        groups: Name of a group of workers → its numbers; empty if an older piray made the stack.
        jobs: Name of a RayJob → what had become of it when it was last waited for.
        services: Name of a RayService → how it is reached.
    """

    platform: str
    ray_version: str
    # It travels in a header of HTTP, where nothing else may stand.
    ray_token: str = Field(repr=False, pattern=r"^[!-~]+$")
    workers: Whole
    runtime_packages: tuple[str, ...] = ()
    wheels_url: str | None = None
    dashboard_url: str | None = None
    kubeconfig: str | None = Field(default=None, repr=False)
    namespace: str | None = None
    head_service: str | None = None
    dashboard_port: Whole | None = None
    pi_job: PiJobOutputs | None = None
    hosts: Mapping[str, HostFacts] = {}
    ray_mode: str | None = None
    ray_cluster: str | None = None
    groups: Mapping[str, WorkerGroup] = {}
    jobs: Mapping[str, RayJob] = {}
    services: Mapping[str, RayService] = {}


_BEHIND_KUBERNETES = ("kubeconfig", "namespace", "head_service", "dashboard_port")
_SECRET = {camel_case(name) for name, field in StackOutputs.model_fields.items() if not field.repr}
# What pydantic calls a mistake → what must be there instead.
_RULES = {
    "string_type": "text",
    "string_pattern_mismatch": "one word of plain text",
    "int_type": "a whole number",
    "tuple_type": "a list of text",
    "list_type": "a list of text",
    "model_type": "an object",
    "dict_type": "an object",
}


def parse(values: Mapping[str, Any], stack: str) -> StackOutputs:
    """Check the outputs of a stack, as `pulumi stack output --json --show-secrets` prints them.

    Args:
        values: The outputs by their exported (camelCase) names.
        stack: Name of the stack, for messages.

    Raises:
        StackError: Every problem found, one line each.
    """
    return check(values, f"stack {stack}", f"run `make up STACK={stack}`")


def read(stack: str) -> StackOutputs:
    """Ask the Pulumi CLI for the outputs of a stack.

    Raises:
        StackError: If the stack does not exist, has no outputs or cannot be read.
    """
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*){0,2}", stack, re.ASCII):
        raise StackError(f"{stack!r} cannot be the name of a stack: use letters, digits, '-', '_' and '.'.")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "infra.pulumi_cli", "outputs", stack],
            cwd=find_project(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=READ_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        raise StackError(
            f"{sys.executable} cannot be started ({error.strerror}): run it with a Python you may run."
        ) from None
    except subprocess.TimeoutExpired:
        raise StackError(
            f"reading stack {stack} took more than {READ_TIMEOUT_S} s: can the Pulumi backend be reached?"
        ) from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1].removeprefix("piray: ") if lines else ""
        raise StackError(reason or f"stack {stack} cannot be read (exit code {done.returncode}).")
    try:
        values = json.loads(done.stdout)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise StackError(f"stack {stack} cannot be read: the Pulumi CLI printed no JSON of outputs.")
    return parse(values, stack)


def find_project() -> Path:
    """Return the checkout that holds Pulumi.yaml: around this file, or around the current directory.

    Raises:
        StackError: If there is none.
    """
    for start in (Path(__file__).resolve().parent, Path.cwd()):
        for directory in (start, *start.parents):
            if (directory / PROJECT_FILE).is_file() and (directory / "infra" / "pulumi_cli.py").is_file():
                return directory
    raise StackError(
        f"no {PROJECT_FILE} was found here or above: run piray in its checkout, "
        "or give the outputs with --outputs FILE."
    )


def check(values: Mapping[str, Any], source: str, remedy: str) -> StackOutputs:
    """Check outputs.

    Args:
        values: The outputs by their exported (camelCase) names; None stands for an output that is not there.
        source: What they were read from, for messages.
        remedy: What to do if they cannot be used.

    Raises:
        StackError: Every problem found, one line each.
    """
    present = {name: value for name, value in values.items() if value is not None}
    if not present:
        raise StackError(f"{source} has no outputs: {remedy} first.")
    _check_version(present.get("contractVersion"), source, remedy)
    needed = _BEHIND_KUBERNETES if "dashboardUrl" not in present else ()
    missing = [name for name in map(camel_case, needed) if name not in present]
    mistakes: list[str] = []
    try:
        outputs = StackOutputs.model_validate(present)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        absent = [one for one in found if one["type"] == "missing" and len(one["loc"]) == 1]
        missing = [str(one["loc"][0]) for one in absent] + missing
        mistakes = [_mistake(one, present, remedy) for one in found if one not in absent]
    if missing:
        mistakes.append(f"{source} has no output {', '.join(missing)}: {remedy}.")
    if mistakes:
        raise StackError("\n".join(dict.fromkeys(mistakes)))
    return outputs


def _mistake(error: ErrorDetails, values: Mapping[str, Any], remedy: str) -> str:
    """Return one line: the output, the rule, the value unless it is secret, the remedy."""
    path = [part for part in error["loc"] if isinstance(part, str)]
    name = ".".join(path)
    if error["type"] == "missing":
        return f"output {name} is None: it must have a value; {remedy}."
    in_list = len(path) < len(error["loc"])
    rule = _RULES["tuple_type"] if in_list else _RULES.get(error["type"], "of another type")
    value = reduce(lambda inner, part: inner[part], path, values) if in_list else error["input"]
    shown = "" if path[0] in _SECRET else f", not {value!r}"
    return f"output {name} has the wrong type: it must be {rule}{shown}; {remedy}."


def _check_version(version: object, source: str, remedy: str) -> None:
    if version is None:
        raise StackError(
            f"the outputs of {source} have no contractVersion: they are not those of a piray stack, "
            f"or its `make up` was never finished; {remedy}."
        )
    if version != CONTRACT_VERSION or isinstance(version, bool):
        newer = isinstance(version, int | float) and version > CONTRACT_VERSION
        other = (
            "a newer piray is needed: `git pull` in this checkout"
            if newer
            else f"an older piray is needed, or, with this one, {remedy}"
        )
        raise StackError(
            f"the outputs of {source} follow version {version!r} of the contract, "
            f"and this piray reads version {CONTRACT_VERSION}: {other}."
        )
