"""What is declared in KubeRay mode, against the real definitions and the traps that users report."""

from typing import Any

import jsonschema
import pytest
import yaml

from sandbox.engine.program.answers import RAY_TOKEN
from tests.infra.kuberay.crds import schema
from tests.infra.kuberay.made import ALL, CRON, JOB, SCALED, SERVICE, pods_of, program, spec
from tests.program import reveal


def clusters(ray: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the specs of all clusters: the stack's own, and those that jobs and services make."""
    made = program(ray)
    return [
        spec(made, "ray-cluster"),
        spec(made, "ray-job-alone")["rayClusterSpec"],
        spec(made, "ray-service-hello")["rayClusterConfig"],
    ]


FIXED = {**SCALED, "minReplicas": 1, "maxReplicas": 1}


@pytest.mark.parametrize("ray", [{}, ALL, {**ALL, "groups": [FIXED]}])
def test_every_custom_resource_is_what_its_definition_allows(ray: dict[str, Any]) -> None:
    made = program(ray)
    declared = [reveal(one.inputs) for one in made.of_type("kubernetes:ray.io/v1:")]
    assert {one["kind"] for one in declared} >= {"RayCluster"}
    for one in declared:
        jsonschema.validate(one, schema(one["kind"]))


def test_the_schema_of_a_kind_refuses_what_the_operator_would_never_see() -> None:
    wrong = {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {"entryPoint": "python a.py"}}
    with pytest.raises(jsonschema.ValidationError, match="entryPoint"):
        jsonschema.validate(wrong, schema("RayJob"))


def test_every_cluster_asks_for_the_token_that_is_in_the_secret_of_its_own_name() -> None:
    for cluster in clusters(ALL):
        assert cluster["authOptions"] == {"mode": "token"}
        for pod in pods_of(cluster).values():
            env = {entry["name"]: entry for entry in pod["spec"]["containers"][0]["env"]}
            # The operator puts it there, from the Secret with the name of the cluster.
            assert "RAY_AUTH_TOKEN" not in env
            assert env["RAY_AUTH_MODE"]["value"] == "token"
    (secret,) = program().of_type("kubernetes:core/v1:Secret")
    assert reveal(secret.inputs)["metadata"]["name"] == "ray"
    assert reveal(secret.inputs)["stringData"] == {"auth_token": RAY_TOKEN}


def test_the_operator_leaves_our_command_alone() -> None:
    for cluster in clusters(ALL):
        for pod in pods_of(cluster).values():
            assert pod["metadata"]["annotations"]["ray.io/overwrite-container-cmd"] == "true"
            assert pod["spec"]["containers"][0]["command"][0] == "python"


def test_the_worker_of_any_cluster_waits_for_the_head_of_its_own() -> None:
    for cluster in clusters(ALL):
        for pod in [pods_of(cluster)[group] for group in pods_of(cluster) if group != "head"]:
            command = pod["spec"]["containers"][0]["command"]
            assert "$(FQ_RAY_IP):6379" in command
            assert "--address=$(FQ_RAY_IP):6379" in command


def test_only_the_head_of_the_stacks_own_cluster_is_behind_its_service() -> None:
    made = program(ALL)
    selector = reveal(made.named("ray-service").inputs)["spec"]["selector"]
    behind = [selector.items() <= pods_of(one)["head"]["metadata"]["labels"].items() for one in clusters(ALL)]
    assert behind == [True, False, False]


def test_all_pods_are_behind_the_same_walls_as_in_the_other_mode() -> None:
    walled = reveal(program().named("ray-peers").inputs)["spec"]["podSelector"]["matchLabels"].items()
    submitter = spec(program(ALL), "ray-job-alone")["submitterPodTemplate"]
    pods = [pod for cluster in clusters(ALL) for pod in pods_of(cluster).values()]
    for pod in [submitter, *pods]:
        assert walled <= pod["metadata"]["labels"].items()


def restricted(security: dict[str, Any]) -> bool:
    closed = security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
    return bool(closed and security["capabilities"] == {"drop": ["ALL"]})


def test_every_container_is_a_restricted_one() -> None:
    made = program(ALL)
    operator = reveal(made.named("kuberay-operator").inputs)["spec"]["template"]
    pods = [pod for cluster in clusters(ALL) for pod in pods_of(cluster).values()]
    for pod in [operator, spec(made, "ray-job-alone")["submitterPodTemplate"], *pods]:
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert all(restricted(one["securityContext"]) for one in pod["spec"]["containers"])
    assert restricted(spec(made, "ray-cluster")["autoscalerOptions"]["securityContext"])


def test_a_changed_image_reaches_the_pods_and_a_changed_number_of_workers_restarts_none() -> None:
    def revision(ray: dict[str, Any]) -> str:
        made = program({"groups": [SCALED], **ray})
        cluster = spec(made, "ray-cluster")
        assert cluster["upgradeStrategy"] == {"type": "Recreate"}
        (text,) = {pod["metadata"]["annotations"]["piray/revision"] for pod in pods_of(cluster).values()}
        return str(text)

    before = revision({})
    assert revision({"image": "registry.example/ray:2"}) != before
    assert revision({"groups": [{**SCALED, "cpus": 2}]}) != before
    assert revision({"groups": [{**SCALED, "replicas": 2, "maxReplicas": 5}]}) == before


def test_another_token_makes_all_pods_anew_and_is_told_to_nobody() -> None:
    def revision(token: str) -> str:
        pods = pods_of(spec(program(token=token), "ray-cluster"))
        return str(pods["head"]["metadata"]["annotations"]["piray/revision"])

    assert revision("5b" * 32) != revision(RAY_TOKEN)
    assert RAY_TOKEN not in revision(RAY_TOKEN)


def test_a_group_is_where_the_stack_file_says() -> None:
    toleration = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    placed = {**FIXED, "hosts": ["pi2", "pi3"], "nodeSelector": {"disk": "ssd"}, "tolerations": [toleration]}
    pod = pods_of(spec(program({"groups": [placed]}), "ray-cluster"))["worker"]["spec"]
    wanted = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = wanted["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": ["pi2", "pi3"]}
    ]
    assert pod["nodeSelector"] == {"disk": "ssd", "kubernetes.io/arch": "arm64"}
    assert pod["tolerations"] == [toleration]


def test_without_room_between_least_and_most_no_autoscaler_runs() -> None:
    cluster = spec(program(), "ray-cluster")
    assert "enableInTreeAutoscaling" not in cluster
    assert "--no-monitor" not in pods_of(cluster)["head"]["spec"]["containers"][0]["command"]
    assert "ray-autoscaler" not in {one.name for one in program().resources}


def test_the_autoscaler_reaches_the_api_server_with_an_account_that_jobs_do_not_have() -> None:
    made = program({"groups": [SCALED], "idleTimeoutS": 30})
    cluster = spec(made, "ray-cluster")
    options, head = cluster["autoscalerOptions"], pods_of(cluster)["head"]["spec"]
    assert cluster["enableInTreeAutoscaling"]
    assert (options["version"], options["idleTimeoutSeconds"]) == ("v2", 30)
    assert "--no-monitor" in head["containers"][0]["command"]
    assert "restartPolicy" not in head
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert not head["automountServiceAccountToken"]
    assert not head["shareProcessNamespace"]
    assert path in [mount["mountPath"] for mount in options["volumeMounts"]]
    assert path not in [mount["mountPath"] for mount in head["containers"][0]["volumeMounts"]]
    volumes = {volume["name"] for volume in head["volumes"]}
    assert {mount["name"] for mount in options["volumeMounts"]} <= volumes
    policy = reveal(made.named("ray-autoscaler").inputs)["spec"]
    (rule,) = policy["egress"]
    assert {"ipBlock": {"cidr": "198.51.100.11/32"}} in rule["to"]
    assert 6443 in [one["port"] for one in rule["ports"]]


def test_a_job_runs_once_on_the_stacks_own_cluster_and_without_a_pod_of_its_own() -> None:
    job = spec(program({"jobs": [JOB]}), "ray-job-primes")
    assert job["clusterSelector"] == {"ray.io/cluster": "ray"}
    assert (job["submissionMode"], job["backoffLimit"]) == ("HTTPMode", 0)
    assert not {"rayClusterSpec", "submitterPodTemplate", "shutdownAfterJobFinishes"} & set(job)


def test_a_job_has_its_environment_and_deadline() -> None:
    given = {**JOB, "deadlineS": 90, "runtimeEnv": {"pip": ["sympy"], "env_vars": {"A": "1"}}}
    job = spec(program({"jobs": [given]}), "ray-job-primes")
    assert job["activeDeadlineSeconds"] == 90
    assert yaml.safe_load(job["runtimeEnvYAML"]) == given["runtimeEnv"]


def test_a_cluster_of_a_jobs_own_ends_with_it() -> None:
    given = {**JOB, "cluster": "own", "ttlS": 30}
    job = spec(program({"jobs": [given]}), "ray-job-primes")
    assert (job["shutdownAfterJobFinishes"], job["ttlSecondsAfterFinished"]) == (True, 30)
    assert "clusterSelector" not in job
    # KubeRay refuses it for the cluster of a job or service.
    assert "upgradeStrategy" not in job["rayClusterSpec"]


def test_what_goes_of_a_jobs_own_cluster_can_depend_on_how_the_job_ended() -> None:
    rules = [{"status": "SUCCEEDED", "afterS": 60}, {"status": "FAILED", "delete": "workers"}]
    made = program({"jobs": [{**JOB, "cluster": "own", "deletionRules": rules}]})
    job = spec(made, "ray-job-primes")
    jsonschema.validate(reveal(made.named("ray-job-primes").inputs), schema("RayJob"))
    assert job["deletionStrategy"]["deletionRules"] == [
        {"policy": "DeleteCluster", "condition": {"jobStatus": "SUCCEEDED", "ttlSeconds": 60}},
        {"policy": "DeleteWorkers", "condition": {"jobStatus": "FAILED", "ttlSeconds": 0}},
    ]
    # KubeRay refuses the two together.
    assert "shutdownAfterJobFinishes" not in job


def test_a_service_answers_on_its_port_and_starts_no_second_cluster_beside_the_first() -> None:
    service = spec(program({"services": [{**SERVICE, "port": 8123}]}), "ray-service-hello")
    serve = yaml.safe_load(service["serveConfigV2"])
    assert serve["http_options"]["port"] == 8123
    assert serve["applications"] == [{"name": "hello", "route_prefix": "/", "import_path": "hello:app"}]
    (head,) = pods_of(service["rayClusterConfig"])["head"]["spec"]["containers"]
    assert {"name": "serve", "containerPort": 8123, "protocol": "TCP"} in head["ports"]
    assert service["upgradeStrategy"] == {"type": "None"}


def test_a_job_on_a_schedule_is_the_job_without_it() -> None:
    made = program({"cronJobs": [CRON], "jobs": [JOB], "operator": {"featureGates": {"RayCronJob": True}}})
    cron = spec(made, "ray-cron-job-nightly")
    assert cron == {"schedule": "0 3 * * *", "jobTemplate": spec(made, "ray-job-primes")}
