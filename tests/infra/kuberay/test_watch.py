"""What is waited for, and what is not because it cannot come; pure, with a clock of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from infra.api_server import ApiError
from infra.kuberay.watch.clusters import judge_cluster
from infra.kuberay.watch.jobs import judge_job
from infra.kuberay.watch.loop import WatchError, watch
from infra.kuberay.watch.services import judge_service
from infra.kuberay.watch.verdict import Problem, Sight, Verdict

REVISION = "pods-2"


def condition(name: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": name, "status": status, "reason": reason, "message": message}


def pod(group: str, *, revision: str = REVISION, ready: bool = True, **more: Any) -> dict[str, Any]:
    labels = {"ray.io/group": group, "ray.io/node-type": "head" if group == "headgroup" else "worker"}
    status = {"conditions": [condition("Ready", str(ready))], **more.pop("status", {})}
    metadata = {"name": f"ray-{group}", "namespace": "ray", "labels": labels}
    metadata["annotations"] = {"piray/revision": revision}
    return {"metadata": {**metadata, **more}, "status": status, "spec": SPEC}


SPEC = {"containers": [{"name": "ray-head", "resources": {"limits": {"memory": "2560Mi"}}}]}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"name": "ray-head", "state": {"waiting": {"reason": reason, "message": message}}}


def cluster(*pods: Mapping[str, Any], seen: int = 2, warnings: Sequence[str] = (), **status: Any) -> Sight:
    live = {"metadata": {"generation": 2}, "status": {"observedGeneration": seen, **status}}
    return Sight(live=live, pods=pods, warnings=warnings)


def judged(sight: Sight, **least: int) -> Verdict:
    return judge_cluster(sight, REVISION, least)


def test_a_cluster_is_there_when_its_head_and_the_least_of_each_group_work() -> None:
    there = cluster(pod("headgroup"), pod("small"), pod("small"), pod("large"))
    assert judged(there, small=2, large=1).answer is not None
    assert judged(there, small=3, large=1).waiting == "1 of 3 workers of group small"
    assert judged(cluster(pod("headgroup")), small=0).answer is not None
    assert judged(cluster(pod("small")), small=1).waiting == "the head"


def test_pods_of_before_are_not_the_cluster_that_was_asked_for() -> None:
    old = pod("headgroup", revision="pods-1")
    assert "the head" in judged(cluster(old)).waiting
    both = cluster(pod("headgroup"), pod("small", revision="pods-1"))
    assert judged(both).waiting == "the end of 1 pods of before"
    assert judged(cluster(pod("headgroup", deletionTimestamp="now"))).waiting == "the head"


def test_a_cluster_that_the_operator_has_not_seen_is_not_there() -> None:
    verdict = judged(cluster(pod("headgroup"), seen=1))
    assert (verdict.answer, verdict.waiting) == (None, "the operator")
    assert [one.text for one in verdict.problems] == ["the operator has not looked at it"]


def test_a_cluster_that_is_invalid_is_told_so_by_an_event_alone() -> None:
    said = "The RayCluster spec is invalid ray/ray: minReplicas is greater"
    (problem,) = judged(cluster(seen=1, warnings=["older", said])).problems
    assert (problem.text, problem.patience_s) == (said, 0.0)


def test_pods_that_the_api_server_refuses_are_a_problem_in_its_words() -> None:
    refused = condition("ReplicaFailure", "True", message="violates PodSecurity")
    (problem,) = judged(cluster(conditions=[refused])).problems
    assert problem.text == "violates PodSecurity"


@pytest.mark.parametrize(
    ("status", "said", "soon"),
    [
        (
            {"containerStatuses": [waiting("ImagePullBackOff", "no such image")]},
            "ImagePullBackOff: no such image",
            False,
        ),
        ({"containerStatuses": [waiting("InvalidImageName")]}, "InvalidImageName", True),
        (
            {"containerStatuses": [waiting("CreateContainerConfigError", 'secret "ray" not found')]},
            'secret "ray" not found',
            False,
        ),
        (
            {"conditions": [condition("PodScheduled", "False", "Unschedulable", "0/4 nodes are available")]},
            "has no host: 0/4 nodes are available",
            False,
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on disk"}, "Evicted: low on disk", False),
    ],
)
def test_a_pod_that_does_not_run_says_why(status: dict[str, Any], said: str, soon: bool) -> None:
    (problem,) = judged(cluster(pod("headgroup", ready=False, status=status))).problems
    assert said in problem.text
    assert problem.patience_s is not None
    assert (problem.patience_s == 0.0) == soon


@pytest.mark.parametrize(("restarts", "soon"), [(1, False), (3, True)])
def test_a_head_that_is_killed_for_its_memory_names_the_limit(restarts: int, soon: bool) -> None:
    killed = {
        **waiting("CrashLoopBackOff"),
        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
        "restartCount": restarts,
    }
    (problem,) = judged(
        cluster(pod("headgroup", ready=False, status={"containerStatuses": [killed]}))
    ).problems
    assert "OOMKilled" in problem.text
    assert "2560Mi" in problem.text
    assert (problem.patience_s == 0.0) == soon


def test_a_pod_that_starts_or_is_on_its_way_out_is_no_problem() -> None:
    starting = pod("headgroup", ready=False, status={"containerStatuses": [waiting("ContainerCreating")]})
    bad = {"containerStatuses": [waiting("InvalidImageName")]}
    going = pod("small", ready=False, deletionTimestamp="now", status=bad)
    assert judged(cluster(starting, going)).problems == []


def job(deployment: str, status: str = "", **more: Any) -> Sight:
    return Sight(live={"status": {"jobDeploymentStatus": deployment, "jobStatus": status, **more}})


def test_a_job_that_has_run_has_an_answer_however_it_ended() -> None:
    times = {"startTime": "2026-11-27T20:00:00Z", "endTime": "2026-11-27T20:01:00Z"}
    done = judge_job(job("Complete", "SUCCEEDED", rayJobInfo=times, message="Job finished successfully."))
    assert done.answer == {
        "status": "SUCCEEDED",
        "reason": "",
        "message": "Job finished successfully.",
        **times,
    }
    failed = judge_job(job("Failed", "FAILED", reason="AppFailed", message="exit code 1"))
    assert failed.answer is not None
    assert (failed.answer["status"], failed.answer["message"]) == ("FAILED", "exit code 1")


def test_a_job_beyond_its_deadline_has_failed_though_ray_says_that_it_runs() -> None:
    answer = judge_job(job("Failed", "RUNNING", reason="DeadlineExceeded")).answer
    assert answer is not None
    assert (answer["status"], answer["reason"]) == ("FAILED", "DeadlineExceeded")


def test_a_job_that_is_invalid_never_runs() -> None:
    (problem,) = judge_job(job("ValidationFailed", message="TTL must be positive")).problems
    assert (problem.text, problem.patience_s) == ("it is invalid: TTL must be positive", 0.0)


def test_a_job_that_runs_is_waited_for() -> None:
    verdict = judge_job(job("Running", "RUNNING"))
    assert (verdict.answer, verdict.problems) == (None, [])


def service(*conditions: dict[str, str], **status: Any) -> Sight:
    seen = {"observedGeneration": 1, "conditions": list(conditions), **status}
    return Sight(live={"metadata": {"generation": 1}, "status": seen})


def test_a_service_is_there_when_it_answers_and_no_change_is_on_its_way() -> None:
    ready = condition("Ready", "True")
    assert judge_service(service(ready)).answer == {}
    assert judge_service(service(ready, condition("UpgradeInProgress", "True"))).answer is None
    assert judge_service(service(condition("Ready", "False"))).answer is None


def test_an_application_that_cannot_be_deployed_says_why() -> None:
    apps = {"hello": {"status": "DEPLOY_FAILED", "message": "No module\n named 'hello'"}}
    pending = {"applicationStatuses": apps}
    (problem,) = judge_service(service(pendingServiceStatus=pending)).problems
    assert problem.text == "application hello: DEPLOY_FAILED: No module named 'hello'"


def test_what_only_the_operator_s_log_says_is_said_after_a_while() -> None:
    sight = service(condition("Ready", "False", message="RayService is initializing"))
    said = "Serve dependencies are not installed"
    (problem,) = judge_service(Sight(live=sight.live, logged=said)).problems
    assert problem.text == said
    assert problem.patience_s is not None
    assert problem.patience_s > 0


class Clock:
    """Time that passes only when somebody sleeps."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def watched(
    verdicts: Callable[[float], Verdict | ApiError], limit_s: float = 1000.0
) -> tuple[Mapping[str, Any] | None, float]:
    """Return what the loop returns, and when."""
    clock = Clock()
    nothing = Sight(live={})

    def judge(_: Sight) -> Verdict:
        found = verdicts(clock.now)
        if isinstance(found, ApiError):
            raise found
        return found

    return watch(lambda: nothing, judge, limit_s, clock=clock, sleep=clock.sleep), clock.now


STARTING = Verdict(waiting="the head")


def stuck(patience_s: float | None, kind: str = "") -> Iterator[Verdict]:
    """Return verdicts whose problem says something else each time."""
    number = 0
    while True:
        number += 1
        yield Verdict(waiting="the head", problems=[Problem(f"try {number}", patience_s, kind)])


def test_what_has_become_what_was_asked_for_is_waited_for_no_longer() -> None:
    answer, when = watched(lambda now: Verdict(answer={"a": 1}) if now >= 20 else STARTING)
    assert (answer, when) == ({"a": 1}, 20.0)


def test_a_problem_that_passes_is_none() -> None:
    problem = Verdict(problems=[Problem("no host", 60.0)])
    answer, _ = watched(lambda now: Verdict(answer={}) if now > 90 else problem if now < 50 else STARTING)
    assert answer == {}


def test_a_problem_that_lasts_ends_the_wait_with_its_own_words() -> None:
    problem = Verdict(waiting="the head", problems=[Problem("no host", 60.0)])
    with pytest.raises(WatchError, match=r"^no host \(waiting for the head\)$"):
        watched(lambda _: problem)


def test_a_problem_is_the_same_though_its_words_change_and_its_pod_is_replaced() -> None:
    told = stuck(60.0, "image")
    with pytest.raises(WatchError, match="^try"):
        watched(lambda now: STARTING if now % 20 == 0 else next(told))


def test_a_problem_that_may_last_is_told_at_the_limit() -> None:
    with pytest.raises(WatchError, match="memory"):
        watched(lambda _: Verdict(problems=[Problem("memory")]), limit_s=30.0)


def test_at_the_limit_nothing_is_said_of_what_has_no_problem() -> None:
    assert watched(lambda _: STARTING, limit_s=30.0) == (None, 30.0)


def test_an_api_server_that_is_away_for_a_moment_is_waited_for() -> None:
    away = ApiError("it does not answer")
    answer, _ = watched(lambda now: Verdict(answer={}) if now >= 100 else away)
    assert answer == {}


def test_an_api_server_that_stays_away_or_refuses_ends_the_wait() -> None:
    with pytest.raises(ApiError, match="does not answer"):
        watched(lambda _: ApiError("it does not answer"))
    with pytest.raises(ApiError, match="forbidden"):
        watched(lambda _: ApiError("forbidden", 403))
