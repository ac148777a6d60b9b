"""Rules between the fields of `ray`: the groups of workers, and what only the KubeRay operator does."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from infra.config.model import StackKeys
from infra.config.problems import ABSENT, HIDDEN, ProblemList
from infra.config.ray import RayKeys, worker_groups
from infra.config.section import Section
from infra.config.unique import check_unique
from infra.names import camel_case
from infra.versions import KUBERAY_GATES, KUBERAY_IMAGE

_DEFAULT_WORKERS = StackKeys.model_fields["workers"].default
_KUBERAY_ONLY = ("operator", "idle_timeout_s", "jobs", "services", "cron_jobs")
_NO_KUBERNETES = "has no meaning on platform local, which has no Kubernetes"
_OWN_ONLY = {"ttlS": "ttl_s", "deletionRules": "deletion_rules", "backoffLimit": "backoff_limit"}
_CRON_GATE = "RayCronJob"


def check_ray(tree: Mapping[str, Any], problems: ProblemList) -> None:
    """Check everything below `ray` that takes more than one field to see.

    Args:
        tree: The fields that could be read.
        problems: Gets every broken rule.
    """
    ray = tree.get("ray", {})
    _check_groups(tree, problems)
    if ray.get("mode") == "deployments":
        _check_plain(ray, problems)
    if ray.get("mode") == "kuberay":
        _check_names(ray, problems)
        for key in ("jobs", "cron_jobs"):
            for index, job in enumerate(ray.get(key, ())):
                _check_job(job, ("ray", "jobs" if key == "jobs" else "cronJobs", index), ray, problems)
        _check_gates(ray, problems)


def check_local_ray(tree: Mapping[str, Any], problems: ProblemList) -> None:
    """Check what platform `local` is told of Ray.

    Args:
        tree: The fields that could be read.
        problems: Gets what has no meaning there.
    """
    ray = tree.get("ray", {})
    unlike = [] if _are_short(ray, tree.get("workers", 0)) else ["groups"]
    for key in [*unlike, *_given_of_kuberay(ray)]:
        problems.add(("ray", key), HIDDEN, _NO_KUBERNETES, "Delete it.")
    if ray.get("mode") == "kuberay":
        problems.add(("ray", "mode"), "kuberay", _NO_KUBERNETES, "Delete it, or set piray:platform to pi.")


def _are_short(ray: Mapping[str, Any], workers: int) -> bool:
    """Say whether the groups are what the number of workers alone means."""
    short, given = worker_groups({**ray, "groups": ()}, workers), worker_groups(ray, workers)
    return [_said(group) for group in given] == [_said(group) for group in short]


def _said(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if value}


def _given_of_kuberay(ray: Mapping[str, Any]) -> list[str]:
    """Return the keys that say something to the operator, and other than the default."""
    return [
        camel_case(name)
        for name in _KUBERAY_ONLY
        if name in ray and _plain(ray[name]) != _plain(RayKeys.model_fields[name].default)
    ]


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Section) else list(value) if isinstance(value, tuple) else value


def _check_groups(tree: Mapping[str, Any], problems: ProblemList) -> None:
    groups: Sequence[Mapping[str, Any]] = tree.get("ray", {}).get("groups", ())
    # Pulumi hands over the default as if somebody had given it.
    said = {_DEFAULT_WORKERS, sum(group.get("replicas", 0) for group in groups)}
    if groups and tree.get("workers", _DEFAULT_WORKERS) not in said:
        problems.add(
            ("workers",),
            tree["workers"],
            "is given beside piray:ray.groups, which say how many workers there are",
            "Delete piray:workers, and change the replicas of a group.",
        )
    hosts = [host["name"] for host in tree.get("hosts", ()) if "name" in host]
    known = len(hosts) == len(tree.get("hosts", ()))
    check_unique(groups, ("ray", "groups"), "name", "Give each group a name of its own.", problems)
    for index, group in enumerate(groups):
        path = ("ray", "groups", index)
        _check_numbers(group, path, problems)
        for number, toleration in enumerate(group.get("tolerations", ())):
            _check_toleration(toleration, (*path, "tolerations", number), problems)
        for number, host in enumerate(group.get("hosts", ()) if known else ()):
            if host not in hosts:
                near = difflib.get_close_matches(host, hosts, n=1)
                guess = f"Did you mean {near[0]}?" if near else "Give a name from piray:hosts."
                problems.add((*path, "hosts", number), host, "is not a host of this stack", guess)


def _check_numbers(group: Mapping[str, Any], path: tuple[str | int, ...], problems: ProblemList) -> None:
    replicas, least, most = (group.get(key) for key in ("replicas", "min_replicas", "max_replicas"))
    if replicas is None:
        return
    if least is not None and least > replicas:
        problems.add(
            (*path, "minReplicas"),
            least,
            f"is more than the {replicas} replicas with which the group begins",
            f"Give at most {replicas}, or raise replicas.",
        )
    if most is not None and most < replicas:
        problems.add(
            (*path, "maxReplicas"),
            most,
            f"is less than the {replicas} replicas with which the group begins",
            f"Give at least {replicas}, or lower replicas.",
        )


def _check_toleration(
    toleration: Mapping[str, Any], path: tuple[str | int, ...], problems: ProblemList
) -> None:
    """Check what Kubernetes would refuse: validateTolerations in pkg/apis/core/validation."""
    if toleration.get("operator") == "Equal" and "key" in toleration and toleration["key"] is None:
        problems.add(
            (*path, "key"),
            ABSENT,
            "is missing",
            "Give the key of the taint, or write `operator: Exists` for every taint.",
        )
    if toleration.get("operator") == "Exists" and toleration.get("value"):
        problems.add(
            (*path, "value"),
            toleration["value"],
            "has no meaning with the operator Exists, which bears a taint of any value",
            "Delete one of the two.",
        )
    if toleration.get("toleration_seconds") and toleration.get("effect", "NoExecute") != "NoExecute":
        problems.add(
            (*path, "tolerationSeconds"),
            toleration["toleration_seconds"],
            "has a meaning for the effect NoExecute alone",
            "Write `effect: NoExecute`, or delete it.",
        )


def _check_plain(ray: Mapping[str, Any], problems: ProblemList) -> None:
    """Check that nothing is asked for that only the operator does."""
    remedy = "Delete it, or set piray:ray.mode to kuberay (docs/kuberay.md)."
    for key in _given_of_kuberay(ray):
        problems.add(("ray", key), HIDDEN, "has no meaning without the KubeRay operator", remedy)
    for index, group in enumerate(ray.get("groups", ())):
        for key, name in (("minReplicas", "min_replicas"), ("maxReplicas", "max_replicas")):
            if group.get(name) not in (None, group.get("replicas")):
                problems.add(
                    ("ray", "groups", index, key),
                    group[name],
                    "is not the number of replicas, and only KubeRay lets workers come and go",
                    remedy,
                )


def _check_names(ray: Mapping[str, Any], problems: ProblemList) -> None:
    """Check that no two jobs, or services, share a name: their clusters are called after them."""
    first: dict[str, str] = {}
    for field, key in (("jobs", "jobs"), ("services", "services"), ("cron_jobs", "cronJobs")):
        for index, work in enumerate(ray.get(field, ())):
            name = work.get("name")
            if name in first:
                problems.add(
                    ("ray", key, index, "name"),
                    name,
                    f"is also the name of {first[name]}",
                    "Give each job and service a name of its own.",
                )
            elif name is not None:
                first[name] = f"{key}[{index}]"


def _check_job(
    job: Mapping[str, Any], path: tuple[str | int, ...], ray: Mapping[str, Any], problems: ProblemList
) -> None:
    rules = job.get("deletion_rules", ())
    if job.get("cluster") == "shared":
        for key, name in (
            ("ttlS", "ttl_s"),
            ("deletionRules", "deletion_rules"),
            ("backoffLimit", "backoff_limit"),
        ):
            if job.get(name):
                problems.add(
                    (*path, key),
                    HIDDEN if name == "deletion_rules" else job[name],
                    "has no meaning for a job on the stack's own cluster, which stays",
                    "Delete it, or give the job a cluster of its own: `cluster: own`.",
                )
        return
    if rules and job.get("ttl_s") is not None:
        problems.add((*path, "ttlS"), job["ttl_s"], "is given beside deletionRules", "Delete one of the two.")
    seen = set()
    for index, rule in enumerate(rules):
        kind = (rule.get("status"), rule.get("delete"))
        if None not in kind and kind in seen:
            problems.add(
                (*path, "deletionRules", index),
                ABSENT,
                f"is a second rule for {kind[0]} and {kind[1]}",
                "Delete it.",
            )
        seen.add(kind)
        if rule.get("delete") == "workers" and _is_scaled(ray):
            problems.add(
                (*path, "deletionRules", index, "delete"),
                "workers",
                "does not go with groups whose workers come and go",
                "Write cluster.",
            )
    _check_order(rules, path, problems)


def _check_order(
    rules: Sequence[Mapping[str, Any]], path: tuple[str | int, ...], problems: ProblemList
) -> None:
    """Check that no rule removes the workers of a cluster that another one has removed before."""
    for index, rule in enumerate(rules):
        for other in rules:
            if (
                (rule.get("delete"), other.get("delete")) == ("workers", "cluster")
                and rule.get("status") == other.get("status")
                and rule.get("after_s", 0) > other.get("after_s", 0)
            ):
                problems.add(
                    (*path, "deletionRules", index, "afterS"),
                    rule["after_s"],
                    f"comes after the cluster has gone, {other['after_s']} s after the job",
                    f"Give at most {other['after_s']}.",
                )


def _is_scaled(ray: Mapping[str, Any]) -> bool:
    groups = worker_groups(ray, 0)
    return any(group.get("min_replicas") != group.get("max_replicas") for group in groups)


def _check_gates(ray: Mapping[str, Any], problems: ProblemList) -> None:
    gates = ray.get("operator", {}).get("feature_gates")
    if gates is None:
        return
    if ray.get("cron_jobs") and not gates.get(_CRON_GATE):
        problems.add(
            ("ray", "cronJobs"),
            HIDDEN,
            f"needs the feature gate {_CRON_GATE}, which is off",
            f"Write `featureGates: {{{_CRON_GATE}: true}}` below ray.operator. It is an unfinished feature.",
        )
    # Another release has others; the operator ends at once where it does not know one.
    if ray["operator"].get("image") != KUBERAY_IMAGE:
        return
    for gate in gates:
        if gate not in KUBERAY_GATES:
            near = difflib.get_close_matches(gate, KUBERAY_GATES, n=1)
            problems.add(
                ("ray", "operator", "featureGates"),
                gate,
                "is not a feature gate of this KubeRay",
                f"Did you mean {near[0]}?" if near else f"There are {', '.join(KUBERAY_GATES)}.",
            )
