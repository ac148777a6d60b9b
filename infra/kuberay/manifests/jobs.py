"""RayJobs and RayCronJobs: a program that KubeRay submits, once or on a schedule."""

from typing import Any

import yaml

from infra.config.ray import RayConfig, RayCronJobConfig, RayJobConfig
from infra.kuberay.manifests.cluster import API_VERSION, cluster_spec, other_cluster
from infra.names import LABEL_RAY_CLUSTER, RAY_CLUSTER
from infra.objects.metadata import metadata
from infra.objects.pods import WORK_DIR, labels, pod_spec, resources
from infra.ray_cluster.deployments import RAY_APP

SUBMITTER_LABELS = labels(RAY_APP, "submitter")

# It imports Ray, sends one request, and follows the log.
_SUBMITTER_MIB = 512
# https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/apis/ray/v1/rayjob_types.go
_POLICIES = {"cluster": "DeleteCluster", "workers": "DeleteWorkers"}
_SUBMITTER_REQUEST_MILLIS, _SUBMITTER_LIMIT_MILLIS = 100, 1000


def ray_job(
    job: RayJobConfig, ray: RayConfig, arch: str, namespace_name: Any, revision: Any
) -> dict[str, Any]:
    """Return a RayJob.

    Args:
        job: What it runs, and where.
        ray: Version, image and groups; for a cluster of its own.
        arch: "arm64" or "amd64", which the nodes must have.
        namespace_name: The Namespace; text or what will become text.
        revision: What the pods of a cluster of its own have in their annotation; as the Namespace.
    """
    return {
        "api_version": API_VERSION,
        "kind": "RayJob",
        "metadata": metadata(job.name, namespace_name),
        "spec": job_spec(job, ray, arch, revision),
    }


def ray_cron_job(
    cron: RayCronJobConfig, ray: RayConfig, arch: str, namespace_name: Any, revision: Any
) -> dict[str, Any]:
    """Return a RayCronJob, which makes a RayJob whenever it is time.

    Args:
        cron: Its schedule, and what it runs.
        ray: As for ray_job.
        arch: As for ray_job.
        namespace_name: As for ray_job.
        revision: As for ray_job.
    """
    return {
        "api_version": API_VERSION,
        "kind": "RayCronJob",
        "metadata": metadata(cron.name, namespace_name),
        "spec": {"schedule": cron.schedule, "jobTemplate": job_spec(cron, ray, arch, revision)},
    }


def job_spec(job: RayJobConfig, ray: RayConfig, arch: str, revision: Any) -> dict[str, Any]:
    """Return the spec of a RayJob."""
    spec: dict[str, Any] = {
        "entrypoint": job.entrypoint,
        "submissionMode": job.submission_mode,
        # Each attempt beyond the first one makes another cluster; with a shared one there is no other
        # attempt.
        "backoffLimit": job.backoff_limit,
    }
    if job.runtime_env:
        spec["runtimeEnvYAML"] = yaml.safe_dump(dict(job.runtime_env))
    if job.deadline_s is not None:
        spec["activeDeadlineSeconds"] = job.deadline_s
    if job.submission_mode == "K8sJobMode":
        spec["submitterPodTemplate"] = _submitter(ray, arch)
    if job.cluster == "shared":
        return {**spec, "clusterSelector": {LABEL_RAY_CLUSTER: RAY_CLUSTER}}
    return {**spec, **_removal(job), "rayClusterSpec": cluster_spec(ray, arch, other_cluster(), revision)}


def _removal(job: RayJobConfig) -> dict[str, Any]:
    """Return what becomes of a job's own cluster in the end: it goes, unless the job says otherwise."""
    if job.deletion_rules:
        rules = [
            {
                "policy": _POLICIES[rule.delete],
                "condition": {"jobStatus": rule.status, "ttlSeconds": rule.after_s},
            }
            for rule in job.deletion_rules
        ]
        return {"deletionStrategy": {"deletionRules": rules}}
    ttl = {} if job.ttl_s is None else {"ttlSecondsAfterFinished": job.ttl_s}
    return {"shutdownAfterJobFinishes": True, **ttl}


def _submitter(ray: RayConfig, arch: str) -> dict[str, Any]:
    """Return the pod that submits a job; KubeRay's own would not pass as a restricted one."""
    container = {
        "name": "submitter",
        "image": ray.image,
        "resources": resources(_SUBMITTER_REQUEST_MILLIS, _SUBMITTER_LIMIT_MILLIS, _SUBMITTER_MIB),
        "env": [{"name": "HOME", "value": WORK_DIR}],
    }
    pod = {**pod_spec(arch, container, pull_secret=ray.pull_secret), "restartPolicy": "Never"}
    return {"metadata": {"labels": SUBMITTER_LABELS}, "spec": pod}
