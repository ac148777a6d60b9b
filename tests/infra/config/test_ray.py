"""Groups of workers, and what the KubeRay operator is told: their meaning, and the answer to each mistake."""

from typing import Any

import pytest

from infra.config.parse import parse
from infra.config.ray import Toleration, WorkerGroup
from infra.versions import KUBERAY_IMAGE
from tests.infra.config.made import host, problems_of, stack

SMALL = {"name": "small", "replicas": 2}
BIG = {"name": "big", "replicas": 1, "cpus": 4, "memoryMib": 4096}
JOB = {"name": "primes", "entrypoint": "python primes.py"}
OWN = {**JOB, "cluster": "own"}
CRON = {**JOB, "schedule": "0 3 * * *"}
SERVICE = {"name": "hello", "importPath": "hello:app"}
GATE = {"featureGates": {"RayCronJob": True}}
RULE = {"status": "SUCCEEDED"}


def ray(**keys: Any) -> dict[str, Any]:
    return stack(ray=keys)


def kuberay(**keys: Any) -> dict[str, Any]:
    return ray(mode="kuberay", **keys)


def group(**keys: Any) -> dict[str, Any]:
    return ray(groups=[{**SMALL, **keys}])


def job(**keys: Any) -> dict[str, Any]:
    return kuberay(jobs=[{**JOB, **keys}])


def own_job(**keys: Any) -> dict[str, Any]:
    return kuberay(jobs=[{**OWN, **keys}])


def environment(**keys: Any) -> dict[str, Any]:
    return job(runtimeEnv=keys)


def service(**keys: Any) -> dict[str, Any]:
    return kuberay(services=[{**SERVICE, **keys}])


def with_memory(*mib: int, **keys: Any) -> dict[str, Any]:
    entries = [host(number, memoryMib=each) for number, each in enumerate(mib, 1)]
    entries[0]["role"] = "server"
    return stack(hosts=entries, ray=keys)


# id, configuration, path of its only problem, words of the problem's text.
BAD: list[tuple[str, dict[str, Any], str, list[str]]] = [
    (
        "unknown mode",
        ray(mode="KubRay"),
        "ray.mode",
        ["one of deployments, kuberay", "Did you mean kuberay?"],
    ),
    ("group without a name", ray(groups=[{"replicas": 1}]), "ray.groups[0].name", ["is missing"]),
    ("group without a number", ray(groups=[{"name": "a"}]), "ray.groups[0].replicas", ["is missing"]),
    ("groups as one object", ray(groups=SMALL), "ray.groups", ["must be a list", "- name"]),
    ("long name of a group", group(name="a" * 21), "ray.groups[0].name", ["at most 20"]),
    ("digit first in a group", group(name="1a"), "ray.groups[0].name", ["begins with a letter"]),
    ("group called head", group(name="head"), "ray.groups[0].name", ["Ray's own tools"]),
    ("name twice", ray(groups=[SMALL, SMALL]), "ray.groups[1].name", ["name of groups[0]"]),
    ("unknown key of a group", group(memory=1), "ray.groups[0].memory", ["memoryMib"]),
    ("fewer MiB than Ray takes", group(memoryMib=2), "ray.groups[0].memoryMib", ["2 GiB are 2048"]),
    ("host that is none", group(hosts=["pi4"]), "ray.groups[0].hosts[0]", ["not a host", "Did you mean pi"]),
    ("hosts as text", group(hosts="pi1"), "ray.groups[0].hosts", ["must be a list"]),
    ("selector as a list", group(nodeSelector=["a"]), "ray.groups[0].nodeSelector", ["keys with values"]),
    ("selector of a number", group(nodeSelector={"a": 1}), "ray.groups[0].nodeSelector", ["in quotes"]),
    ("selector without a key", group(nodeSelector={"-": "1"}), "ray.groups[0].nodeSelector", ["label"]),
    (
        "effect that is none",
        group(tolerations=[{"key": "a", "effect": "noschedule"}]),
        "ray.groups[0].tolerations[0].effect",
        ["Did you mean NoSchedule?"],
    ),
    (
        "toleration without a key",
        group(tolerations=[{"value": "a"}]),
        "ray.groups[0].tolerations[0].key",
        ["is missing", "Exists"],
    ),
    (
        "toleration of any and of one value",
        group(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]),
        "ray.groups[0].tolerations[0].value",
        ["Exists"],
    ),
    (
        "toleration that ends without reason",
        group(tolerations=[{"key": "a", "tolerationSeconds": 5}]),
        "ray.groups[0].tolerations[0].tolerationSeconds",
        ["NoExecute"],
    ),
    ("workers beside groups", {**group(), "workers": 5}, "workers", ["beside piray:ray.groups", "replicas"]),
    (
        "least above the number",
        kuberay(groups=[{**SMALL, "minReplicas": 3}]),
        "ray.groups[0].minReplicas",
        ["2"],
    ),
    (
        "most below the number",
        kuberay(groups=[{**SMALL, "maxReplicas": 1}]),
        "ray.groups[0].maxReplicas",
        ["2"],
    ),
    ("scaled without KubeRay", group(maxReplicas=4), "ray.groups[0].maxReplicas", ["only KubeRay", "mode"]),
    (
        "jobs without KubeRay",
        ray(jobs=[JOB]),
        "ray.jobs",
        ["without the KubeRay operator", "docs/kuberay.md"],
    ),
    ("idle time without KubeRay", ray(idleTimeoutS=5), "ray.idleTimeoutS", ["without the KubeRay operator"]),
    ("operator without KubeRay", ray(operator={"memoryMib": 128}), "ray.operator", ["without the KubeRay"]),
    ("long name of a job", job(name="a" * 48), "ray.jobs[0].name", ["at most 47"]),
    ("digit first in a job", job(name="1a"), "ray.jobs[0].name", ["begins with a letter"]),
    (
        "name of a job and a service",
        kuberay(jobs=[JOB], services=[{**SERVICE, "name": "primes"}]),
        "ray.services[0].name",
        ["name of jobs[0]"],
    ),
    ("job without a command", kuberay(jobs=[{"name": "a"}]), "ray.jobs[0].entrypoint", ["is missing"]),
    ("empty command", job(entrypoint=" "), "ray.jobs[0].entrypoint", ["command on one line"]),
    ("sidecar", job(submissionMode="SidecarMode"), "ray.jobs[0].submissionMode", ["restricted", "HTTPMode"]),
    (
        "unknown submission",
        job(submissionMode="http"),
        "ray.jobs[0].submissionMode",
        ["HTTPMode, K8sJobMode"],
    ),
    ("no deadline at all", job(deadlineS=0), "ray.jobs[0].deadlineS", ["from 1"]),
    ("end of a shared cluster", job(ttlS=5), "ray.jobs[0].ttlS", ["stack's own cluster", "cluster: own"]),
    ("retry on a shared cluster", job(backoffLimit=1), "ray.jobs[0].backoffLimit", ["stack's own cluster"]),
    ("rules of a shared cluster", job(deletionRules=[RULE]), "ray.jobs[0].deletionRules", ["stack's own"]),
    ("two ways to end", own_job(ttlS=5, deletionRules=[RULE]), "ray.jobs[0].ttlS", ["beside deletionRules"]),
    ("rule twice", own_job(deletionRules=[RULE, RULE]), "ray.jobs[0].deletionRules[1]", ["second rule"]),
    (
        "workers after their cluster",
        own_job(deletionRules=[RULE, {**RULE, "delete": "workers", "afterS": 9}]),
        "ray.jobs[0].deletionRules[1].afterS",
        ["after the cluster has gone", "at most 0"],
    ),
    (
        "workers that come and go",
        kuberay(
            groups=[{**SMALL, "maxReplicas": 4}],
            jobs=[{**OWN, "deletionRules": [{**RULE, "delete": "workers"}]}],
        ),
        "ray.jobs[0].deletionRules[0].delete",
        ["Write cluster"],
    ),
    ("runtime environment as text", job(runtimeEnv="pip"), "ray.jobs[0].runtimeEnv", ["keys with values"]),
    ("unknown runtime key", environment(envvars={}), "ray.jobs[0].runtimeEnv", ["Did you mean env_vars?"]),
    ("folder of this machine", environment(working_dir="."), "ray.jobs[0].runtimeEnv", ["piray submit"]),
    ("variable that is a number", environment(env_vars={"N": 1}), "ray.jobs[0].runtimeEnv", ["quotes"]),
    ("no schedule", kuberay(cronJobs=[JOB], operator=GATE), "ray.cronJobs[0].schedule", ["is missing"]),
    ("schedule without its gate", kuberay(cronJobs=[CRON]), "ray.cronJobs", ["RayCronJob", "featureGates"]),
    (
        "hour that is none",
        kuberay(cronJobs=[{**CRON, "schedule": "0 25 * * *"}], operator=GATE),
        "ray.cronJobs[0].schedule",
        ["'25' as hour", "from 0 to 23"],
    ),
    (
        "unknown gate",
        kuberay(operator={"featureGates": {"RayCronJobs": True}}),
        "ray.operator.featureGates",
        ["Did you mean RayCronJob?"],
    ),
    (
        "gate that is text",
        kuberay(operator={"featureGates": {"RayCronJob": "on"}}),
        "ray.operator.featureGates",
        ["true or false"],
    ),
    ("operator of GiB", kuberay(operator={"memoryMib": "1GB"}), "ray.operator.memoryMib", ["Write 1024"]),
    (
        "image without a tag",
        kuberay(operator={"image": "kuberay/operator"}),
        "ray.operator.image",
        ["fixed tag"],
    ),
    ("file for a module", service(importPath="hello.py"), "ray.services[0].importPath", ["MODULE:NAME"]),
    ("port of Ray", service(port=8265), "ray.services[0].port", ["Ray's own"]),
    ("port of root", service(port=80), "ray.services[0].port", ["only root"]),
    ("route without a slash", service(route="hello"), "ray.services[0].route", ["must be a path"]),
    (
        "deployment without a name",
        service(deployments=[{}]),
        "ray.services[0].deployments[0]",
        ["has no name"],
    ),
    ("KubeRay on local", {"platform": "local", "ray": {"mode": "kuberay"}}, "ray.mode", ["no Kubernetes"]),
    ("groups on local", {"platform": "local", "ray": {"groups": [SMALL]}}, "ray.groups", ["no Kubernetes"]),
    (
        "group that fits on no host of its own",
        with_memory(4096, 4096, 1024, groups=[{**SMALL, "hosts": ["pi3"]}]),
        "ray.groups[0].replicas",
        ["group's hosts hold 0 workers", "pi3 0", "piray:ray.groups[0].memoryMib"],
    ),
    (
        "more workers than can ever come",
        with_memory(4096, 4096, mode="kuberay", groups=[{**SMALL, "maxReplicas": 3}]),
        "ray.groups[0].maxReplicas",
        ["hold 2 workers"],
    ),
    (
        "groups that fit alone, not together",
        with_memory(4096, 4096, groups=[SMALL, {**SMALL, "name": "more"}]),
        "ray",
        ["asks for 8704 MiB in all", "have 6656 MiB"],
    ),
    (
        "services without room for their heads",
        with_memory(4096, 4096, mode="kuberay", groups=[SMALL], services=[SERVICE]),
        "ray",
        ["asks for 8448 MiB in all"],
    ),
]


@pytest.mark.parametrize(
    ("values", "path", "words"), [each[1:] for each in BAD], ids=[each[0] for each in BAD]
)
def test_a_mistake_is_named_with_its_rule_and_its_remedy(
    values: dict[str, Any], path: str, words: list[str]
) -> None:
    (problem,) = problems_of(values)
    assert problem.path == f"piray:{path}"
    for word in words:
        assert word in str(problem)


def test_the_number_of_workers_is_short_for_one_group() -> None:
    config = parse(stack(workers=5, ray={"workerCpus": 2, "workerMemoryMib": 1024}))
    (only,) = config.ray.groups
    assert only == WorkerGroup(
        name="worker", replicas=5, min_replicas=5, max_replicas=5, cpus=2, memory_mib=1024
    )
    assert config.workers == 5


def test_a_group_takes_from_the_stack_what_it_does_not_say() -> None:
    config = parse(ray(groups=[SMALL, BIG], workerCpus=2))
    small, big = config.ray.groups
    assert (small.cpus, small.memory_mib, small.min_replicas, small.max_replicas) == (2, 1536, 2, 2)
    assert (big.cpus, big.memory_mib) == (4, 4096)
    assert config.workers == 3


def test_workers_that_may_go_are_not_counted_on() -> None:
    config = parse(kuberay(groups=[{**SMALL, "minReplicas": 0, "maxReplicas": 4}]))
    assert config.ray.is_scaled
    assert config.workers == 0


def test_the_default_that_pulumi_hands_over_is_no_number_of_workers_beside_groups() -> None:
    assert parse({**group(), "workers": "3"}).workers == 2
    assert parse({**group(), "workers": "2"}).workers == 2


def test_a_group_has_a_place_of_its_own() -> None:
    tolerations = [{"key": "class", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]
    place = {"hosts": ["pi2"], "nodeSelector": {"disk": "ssd"}, "tolerations": tolerations}
    (only,) = parse(group(**place)).ray.groups
    assert (only.hosts, only.node_selector) == (("pi2",), {"disk": "ssd"})
    assert only.tolerations == (
        Toleration(key="class", operator="Exists", effect="NoExecute", toleration_seconds=60),
    )


def test_what_kuberay_is_told_arrives_with_its_defaults() -> None:
    keys = {"jobs": [JOB], "services": [SERVICE], "cronJobs": [{**CRON, "name": "nightly"}], "operator": GATE}
    config = parse(kuberay(**keys)).ray
    assert (config.jobs[0].submission_mode, config.jobs[0].cluster) == ("HTTPMode", "shared")
    assert (config.services[0].port, config.services[0].route) == (8000, "/")
    assert config.cron_jobs[0].schedule == "0 3 * * *"
    assert (config.operator.image, config.operator.feature_gates) == (KUBERAY_IMAGE, {"RayCronJob": True})


@pytest.mark.parametrize(
    "schedule",
    [
        "*/10 8-16 * * mon-fri",
        "0 0 1 jan *",
        "1,31 * * * 0",
        "@daily",
        "@every 90m",
        "5/15 * * * ?",
        "0-59/5 * * * *",
    ],
)
def test_a_schedule_is_as_cron_has_it(schedule: str) -> None:
    keys = {"cronJobs": [{**CRON, "schedule": schedule}], "operator": GATE}
    assert parse(kuberay(**keys)).ray.cron_jobs[0].schedule == schedule


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * *",
        "60 * * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "* * * foo *",
        "5-1 * * * *",
        "*/0 * * * *",
        "@fortnightly",
        "@every day",
    ],
)
def test_a_schedule_that_kuberay_would_refuse_is_refused_before(schedule: str) -> None:
    (problem,) = problems_of(kuberay(cronJobs=[{**CRON, "schedule": schedule}], operator=GATE))
    assert problem.path == "piray:ray.cronJobs[0].schedule"


def test_every_mistake_is_told_at_once() -> None:
    keys = {
        "groups": [{"name": "A", "replicas": -1}],
        "jobs": [{"name": "a", "entrypoint": ""}],
        "mode": "kuberay",
    }
    paths = [problem.path for problem in problems_of(ray(**keys))]
    assert paths == [
        "piray:ray.jobs[0].entrypoint",
        "piray:ray.groups[0].name",
        "piray:ray.groups[0].replicas",
    ]
