"""The RayJobs, RayServices and RayCronJobs of a stack, and what becomes of them."""

import json
from collections.abc import Mapping
from typing import Any

import pulumi

from infra.config.ray import RayConfig, RayJobConfig, RayServiceConfig
from infra.kuberay.command import Step
from infra.kuberay.manifests.cluster import cluster_spec, other_cluster, revision_of
from infra.kuberay.manifests.jobs import ray_cron_job, ray_job
from infra.kuberay.manifests.services import ray_service, serve_service_name
from infra.kuberay.place import Place, empty_task

# A cluster of its own has to start first, from cards that are busy.
_START_LIMIT_S = 45 * 60
# A job without a deadline runs on; after this time nobody waits for it.
_JOB_LIMIT_S = 60 * 60
_DEADLINE_MARGIN_S = 120

Outputs = tuple[dict[str, pulumi.Output[Mapping[str, Any]]], dict[str, Mapping[str, Any]]]


def declare_work(place: Place, ray: RayConfig, cluster_ready: pulumi.Resource) -> Outputs:
    """Declare the stack's jobs and services; none starts before its RayCluster works.

    Args:
        place: Where they are declared.
        ray: What they are.
        cluster_ready: What there is when the RayCluster works.

    Returns:
        By the name of a job, what has become of it; by the name of a service, how it is reached.
    """
    after = place.after(cluster_ready)
    jobs = {job.name: _declare_job(after, ray, job) for job in ray.jobs}
    for service in ray.services:
        _declare_service(after, ray, service)
    for cron in ray.cron_jobs:
        name = f"ray-cron-job-{cron.name}"
        arguments = (cron, ray, place.cluster.args.arch)
        manifest = ray_cron_job(*arguments, place.cluster.namespace, _revision(place, ray))
        declared = after.resource(name, manifest)
        after.guard(declared, name, manifest)
    return jobs, {service.name: _reached(service) for service in ray.services}


def _declare_job(place: Place, ray: RayConfig, job: RayJobConfig) -> pulumi.Output[Mapping[str, Any]]:
    name, arch = f"ray-job-{job.name}", place.cluster.args.arch
    manifest = ray_job(job, ray, arch, place.cluster.namespace, _revision(place, ray))
    # KubeRay ignores a change of a job that it has taken up.
    declared = place.resource(name, manifest, replace_on=["spec"])
    place.guard(declared, name, manifest)
    limit_s = _JOB_LIMIT_S if job.deadline_s is None else job.deadline_s + _DEADLINE_MARGIN_S
    known = ray_job(job, ray, arch, place.cluster.args.namespace, "")
    ready = place.ready(declared, name, known, Step(task=empty_task(), limit_s=limit_s))

    def tell(said: str) -> Mapping[str, Any]:
        result: Mapping[str, Any] = json.loads(said)
        _report(job.name, result)
        return result

    return ready.stdout.apply(tell)


def _report(name: str, result: Mapping[str, Any]) -> None:
    """Say what has become of a job that did not succeed.

    It fails no `up`: the cluster has done what it was told, and is there for whoever looks into it.
    """
    status = result.get("status")
    if status == "SUCCEEDED":
        return
    if status in ("FAILED", "STOPPED"):
        why = ": ".join(str(result[key]) for key in ("reason", "message") if result.get(key))
        ended = "failed" if status == "FAILED" else "been stopped"
        pulumi.warn(
            f"RayJob {name} has {ended}: {why or 'no reason given'}. "
            "A changed job runs anew with the next `up`; the same one does under another name"
        )
    else:
        pulumi.info(f"RayJob {name} is {status} and goes on; nobody waits for it any longer")


def _declare_service(place: Place, ray: RayConfig, service: RayServiceConfig) -> None:
    name, arch = f"ray-service-{service.name}", place.cluster.args.arch
    unrevised = ray_service(service, ray, arch, place.cluster.args.namespace, "")
    digest = revision_of(unrevised["spec"]["rayClusterConfig"])
    revision = place.token_mark.apply(lambda mark: f"{digest}-{mark}")
    manifest = ray_service(service, ray, arch, place.cluster.namespace, revision)
    declared = place.resource(name, manifest, replace_on=["spec.rayClusterConfig"])
    place.guard(declared, name, manifest)
    known = ray_service(service, ray, arch, place.cluster.args.namespace, digest)
    place.ready(declared, name, known, Step(task=empty_task(), limit_s=_START_LIMIT_S))


def _reached(service: RayServiceConfig) -> Mapping[str, Any]:
    return {"service": serve_service_name(service), "port": service.port, "route": service.route}


def _revision(place: Place, ray: RayConfig) -> pulumi.Output[str]:
    digest = revision_of(cluster_spec(ray, place.cluster.args.arch, other_cluster(), ""))
    return place.token_mark.apply(lambda mark: f"{digest}-{mark}")
