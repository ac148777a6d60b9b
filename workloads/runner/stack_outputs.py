"""Decides what a stack's outputs must hold: JSON in, `StackOutputs` out; knows not how a stack is made.

The fields mirror `infra/outputs.py`; `tests/test_contract.py` pins both sides.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

CONTRACT_VERSION = 1
PROJECT_FILE = "Pulumi.yaml"
# A file backend answers in seconds; a network backend that hangs must not hang the runner.
READ_TIMEOUT_S = 120


class StackError(Exception):
    """The stack's outputs cannot be used; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class PiJobOutputs:
    """The π Job of a stack.

    Attributes:
        name: Name of the Job.
        completions: Number of indices, one pod and one random stream each.
        parallelism: Pods that may run at the same time.
        samples: Samples of each index.
        seed: Root seed of all streams.
    """

    name: str
    completions: int
    parallelism: int
    samples: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class StackOutputs:
    """Typed outputs of one stack, contract version 1.

    Attributes:
        platform: "pi", "local", …
        ray_version: Exact Ray version of the cluster.
        ray_token: Bearer token of the Jobs API. Secret.
        workers: Number of Ray workers, the head not counted.
        runtime_packages: Requirements that the Ray image lacks and a job has to bring.
        dashboard_url: Where the Jobs API listens; None where a port-forward is needed.
        kubeconfig: Contents of a kubeconfig; None without Kubernetes. Secret.
        namespace: Kubernetes namespace of the Ray pods.
        head_service: Name of the Service in front of the Ray head.
        dashboard_port: Port of the dashboard and Jobs API on the head's pod.
        pi_job: The parallel π Job, if the stack has one.
        hosts: Facts of the hosts, by their names, as infra/hosts/verify.sh tells them; empty if unknown.
    """

    platform: str
    ray_version: str
    ray_token: str = field(repr=False)
    workers: int
    runtime_packages: tuple[str, ...] = ()
    dashboard_url: str | None = None
    kubeconfig: str | None = field(default=None, repr=False)
    namespace: str | None = None
    head_service: str | None = None
    dashboard_port: int | None = None
    pi_job: PiJobOutputs | None = None
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


# Text, an integer, a list of text or an object, for each output; what is not required may be absent.
_REQUIRED: dict[str, type] = {"platform": str, "ray_version": str, "ray_token": str, "workers": int}
_OPTIONAL: dict[str, type] = {
    "runtime_packages": list,
    "dashboard_url": str,
    "kubeconfig": str,
    "namespace": str,
    "head_service": str,
    "dashboard_port": int,
    "pi_job": dict,
}
_BEHIND_KUBERNETES = ("kubeconfig", "namespace", "head_service", "dashboard_port")
_TYPE_NAMES = {str: "text", int: "a whole number", list: "a list of text", dict: "an object"}


def parse(values: Mapping[str, Any], stack: str) -> StackOutputs:
    """Check the outputs of a stack, as `pulumi stack output --json --show-secrets` prints them.

    Args:
        values: The outputs by their exported (camelCase) names; unknown ones are ignored.
        stack: Name of the stack, for messages.

    Raises:
        StackError: Every problem found, one line each.
    """
    if not values:
        raise StackError(f"stack {stack} has no outputs: run `make up STACK={stack}` first.")
    _check_version(values.get("contractVersion"), stack)
    problems: list[str] = []
    found = {name: _take(values, name, kind, problems) for name, kind in {**_REQUIRED, **_OPTIONAL}.items()}
    missing = [name for name in _REQUIRED if values.get(_camel(name)) is None]
    if values.get("dashboardUrl") is None:
        missing += [name for name in _BEHIND_KUBERNETES if values.get(_camel(name)) is None]
    if missing:
        names = ", ".join(_camel(name) for name in missing)
        problems.append(f"stack {stack} has no output {names}: run `make up STACK={stack}`.")
    job = found.pop("pi_job")
    pi_job = _parse_pi_job(job, problems) if job is not None else None
    packages = found.pop("runtime_packages") or []
    if not all(isinstance(package, str) for package in packages):
        problems.append(f"output runtimePackages is {packages!r}: it must be a list of text.")
    if problems:
        raise StackError("\n".join(problems))
    return StackOutputs(**found, runtime_packages=tuple(packages), pi_job=pi_job)


def read_file(path: str, text: str) -> StackOutputs:
    """Parse outputs that were saved to a file.

    Args:
        path: Where the text came from, for messages.
        text: JSON.

    Raises:
        StackError: If the text is no JSON object or the outputs cannot be used.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise StackError(
            f"{path} is no JSON ({error}): write it with `pulumi stack output --json --show-secrets`."
        ) from None
    if not isinstance(values, dict):
        raise StackError(f"{path} must hold one JSON object of stack outputs, not {type(values).__name__}.")
    # Without --show-secrets pulumi prints this text in the place of every secret.
    if "[secret]" in (values.get("rayToken"), values.get("kubeconfig")):
        raise StackError(
            f"{path} was written without its secrets: add --show-secrets to `pulumi stack output --json`."
        )
    return parse(values, str(path))


def read(stack: str) -> StackOutputs:
    """Ask the project's engine for the outputs of a stack.

    Raises:
        StackError: If the stack does not exist, has no outputs or cannot be read.
    """
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*){0,2}", stack, re.ASCII):
        raise StackError(f"{stack!r} is no name of a stack: use letters, digits, '-', '_' and '.'.")
    command = [sys.executable, "-m", "infra.pulumi_cli", "outputs", stack]
    try:
        done = subprocess.run(
            command,
            cwd=find_project(),
            capture_output=True,
            text=True,
            timeout=READ_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise StackError(
            f"reading stack {stack} took more than {READ_TIMEOUT_S} s: is the Pulumi backend reachable?"
        ) from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1].removeprefix("piray: ") if lines else ""
        raise StackError(reason or f"stack {stack} cannot be read (exit code {done.returncode}).")
    try:
        values = json.loads(done.stdout)
    except ValueError:
        raise StackError(f"stack {stack} cannot be read: the engine printed no JSON.") from None
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


def _check_version(version: object, stack: str) -> None:
    if version is None:
        raise StackError(
            f"the outputs of {stack} have no contractVersion: they are not those of a piray stack, "
            f"or `make up STACK={stack}` was never finished."
        )
    if version != CONTRACT_VERSION:
        newer = isinstance(version, int) and version > CONTRACT_VERSION
        remedy = (
            "a newer piray is needed: `git pull` in this checkout"
            if newer
            else f"an older piray is needed, or `make up STACK={stack}` with this one"
        )
        raise StackError(
            f"the outputs of {stack} follow contract {version}, "
            f"this piray reads {CONTRACT_VERSION}: {remedy}."
        )


def _take(values: Mapping[str, Any], name: str, kind: type, problems: list[str]) -> Any:
    value = _whole(values.get(_camel(name)))
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        problems.append(f"output {_camel(name)} has the wrong type: it must be {_TYPE_NAMES[kind]}.")
        return None
    return value


def _parse_pi_job(job: Mapping[str, Any], problems: list[str]) -> PiJobOutputs | None:
    values: dict[str, Any] = {}
    for one in fields(PiJobOutputs):
        value = _whole(job.get(one.name))
        expected = str if one.name == "name" else int
        if not isinstance(value, expected) or isinstance(value, bool):
            problems.append(f"output piJob.{one.name} is {value!r}: it must be {_TYPE_NAMES[expected]}.")
        values[one.name] = value
    return PiJobOutputs(**values) if not problems else None


def _whole(value: Any) -> Any:
    # Pulumi keeps every number as a float, so 3 may come back as 3.0.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
