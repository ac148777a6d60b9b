"""What has become of a RayJob. Pure.

https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/apis/ray/v1/rayjob_types.go
"""

from collections.abc import Mapping
from typing import Any

from infra.kuberay.watch.pods import problems_of
from infra.kuberay.watch.verdict import Problem, Sight, Verdict

_UNSEEN_S = 60.0
_ENDED = ("Complete", "Failed")


def judge_job(sight: Sight) -> Verdict:
    """Judge a RayJob; one that has run and failed has an answer, too, since the cluster did what it was told.

    The answer has status ("SUCCEEDED", "FAILED", "STOPPED"), reason, message, startTime and endTime.
    """
    status = sight.live.get("status") or {}
    deployment = status.get("jobDeploymentStatus", "")
    if deployment == "ValidationFailed":
        return Verdict(problems=[Problem(f"it is invalid: {status.get('message')}", 0.0)])
    if deployment in _ENDED:
        return Verdict(answer=summary(sight.live))
    if not deployment:
        return Verdict(
            waiting="the operator", problems=[Problem("the operator has not looked at it", _UNSEEN_S)]
        )
    # While it runs, its pods are those of its own cluster: what keeps them keeps the job.
    found = problems_of(sight.pods)
    if deployment == "Initializing":
        found += [Problem(warning) for warning in sight.warnings[-1:]]
    return Verdict(waiting=f"it is {deployment}", problems=found)


def summary(live: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a RayJob says of itself, finished or not."""
    status = live.get("status") or {}
    info = status.get("rayJobInfo") or {}
    failed = status.get("jobDeploymentStatus") == "Failed"
    return {
        # A job that exceeds its deadline is stopped, or was never there.
        "status": "FAILED"
        if failed
        else status.get("jobStatus") or status.get("jobDeploymentStatus") or "NEW",
        "reason": status.get("reason") or "",
        "message": " ".join(str(status.get("message") or "").split()),
        "startTime": info.get("startTime") or status.get("startTime") or "",
        "endTime": info.get("endTime") or status.get("endTime") or "",
    }
