"""The parallel π Job as plain dicts: config in, `metadata` and `spec` out; knows no Pulumi."""

import math
from collections.abc import Mapping
from typing import Any

from infra.config.model import PiJobConfig
from infra.names import ENV_PI_SAMPLES, ENV_PI_SEED
from infra.objects.metadata import metadata, name_by_content
from infra.objects.pods import environment, labels, pod_spec, resources, spread_over_hosts

PI_LABELS = labels("pi", "job")
# The module that the pods run, and its file with those of all that it imports of this project.
_PROGRAM = "workloads.pi.pod"
PROGRAM_FILES = (
    "workloads/__init__.py",
    "workloads/pi/__init__.py",
    "workloads/pi/codegen.py",
    "workloads/pi/estimate.py",
    "workloads/pi/philox.py",
    "workloads/pi/pod.py",
)
_PROGRAM_DIR = "/opt/piray"

# NumPy and Numba take most of it; samples are counted one array at a time.
_MEMORY_MIB = 256
# Little enough to fit on a Pi that has a head and a worker; Ray is idle while the Job runs.
_CPU_REQUEST_MILLIS = 100
# One thread counts.
_CPU_LIMIT_MILLIS = 1000

# The deadline counts from the Job's creation, so it includes the pull of a 1 GB image onto an SD card.
_PULL_LIMIT_S = 30 * 60
# A hundredth of what NumPy was measured to count on one core of a PC, for a Pi that is hot, old and shared.
_SLOWEST_SAMPLES_PER_S = 1_000_000
# A pod that is evicted here and there does not end the Job.
_RETRIES = 4


def config_map_key(file: str) -> str:
    """Return the key of a file in the ConfigMap: keys hold no slashes."""
    return file.replace("/", ".")


def program_config_map(name: str, namespace_name: Any, data: Mapping[str, str]) -> dict[str, Any]:
    """Return the ConfigMap with the program.

    Args:
        name: Its name.
        namespace_name: The Namespace; text or what will become text.
        data: PROGRAM_FILES by their keys.
    """
    return {"metadata": metadata(name, namespace_name, PI_LABELS), "data": dict(data)}


def pi_job(
    job: PiJobConfig,
    image: str,
    arch: str,
    namespace_name: Any,
    program_config_map: str,
    *,
    pull_secret: str | None = None,
) -> dict[str, Any]:
    """Return an Indexed Job in which each index draws its own stream of samples.

    A change of anything in it is another Job under another name. It has no ttlSecondsAfterFinished: a Job
    that deletes itself would be made again after the next refresh.

    Args:
        job: Completions, parallelism, samples and seed.
        image: A Ray image, which has NumPy at least.
        arch: "arm64" or "amd64", which the node must have.
        namespace_name: The Namespace; text or what will become text.
        program_config_map: Name of the ConfigMap that holds PROGRAM_FILES.
        pull_secret: Name of the Secret with the registry's password; None where it asks for none.
    """
    spec = pod_spec(
        arch,
        _container(job, image),
        volumes=[_program_volume(program_config_map)],
        mounts=[{"name": "program", "mountPath": _PROGRAM_DIR, "readOnly": True}],
        pull_secret=pull_secret,
    )
    spec["restartPolicy"] = "Never"
    spec["topologySpreadConstraints"] = spread_over_hosts(PI_LABELS, "batch.kubernetes.io/job-name")
    job_spec = _job_spec(job, spec)
    return {
        "metadata": metadata(
            name_by_content("pi-job", job_spec),
            namespace_name,
            PI_LABELS,
            # A Job that failed is replaced by the next `up`, with nothing to delete by hand.
            {"pulumi.com/replaceUnready": "true"},
        ),
        "spec": job_spec,
    }


def _job_spec(job: PiJobConfig, pod: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "completionMode": "Indexed",
        "completions": job.completions,
        "parallelism": job.parallelism,
        # Plain: Pulumi would wait for ever for a Job that fails by backoffLimitPerIndex.
        "backoffLimit": _RETRIES,
        "activeDeadlineSeconds": _deadline_s(job),
        "template": {"metadata": {"labels": PI_LABELS}, "spec": dict(pod)},
    }


def _container(job: PiJobConfig, image: str) -> dict[str, Any]:
    """Return the container of an index; JOB_COMPLETION_INDEX in its environment comes from Kubernetes."""
    return {
        "name": "pi",
        "image": image,
        "command": ["python", "-m", _PROGRAM],
        # Python looks for the module here first.
        "workingDir": _PROGRAM_DIR,
        "env": environment({ENV_PI_SAMPLES: str(job.samples), ENV_PI_SEED: str(job.seed)}),
        "resources": resources(_CPU_REQUEST_MILLIS, _CPU_LIMIT_MILLIS, _MEMORY_MIB),
        # Where the count goes, so that no log has to be read for it.
        # https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
        "terminationMessagePath": "/dev/termination-log",
    }


def _program_volume(config_map: Any) -> dict[str, Any]:
    """Return the volume in which the files lie as in the repository, so that they import each other."""
    items = [{"key": config_map_key(file), "path": file} for file in PROGRAM_FILES]
    return {"name": "program", "configMap": {"name": config_map, "items": items}}


def _deadline_s(job: PiJobConfig) -> int:
    """Return the seconds after which the Job is given up: the pull, then wave after wave of pods."""
    waves = math.ceil(job.completions / job.parallelism)
    return _PULL_LIMIT_S + waves * math.ceil(job.samples / _SLOWEST_SAMPLES_PER_S)
