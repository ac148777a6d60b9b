"""Whether a RayService answers. Pure.

https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/apis/ray/v1/rayservice_types.go
"""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.kuberay.watch.pods import problems_of
from infra.kuberay.watch.verdict import Problem, Sight, Verdict, conditions, warned

_UNSEEN_S = 60.0
# Ray tries a deployment that fails some times before it says so.
_DEPLOY_FAILED_S = 60.0
# While a head starts, the operator logs that it does not answer.
_LOGGED_S = 300.0


def judge_service(sight: Sight) -> Verdict:
    """Judge a RayService by its conditions, its applications and its pods."""
    live = sight.live
    status = live.get("status") or {}
    if status.get("observedGeneration") != live["metadata"].get("generation"):
        unseen = Problem("the operator has not looked at it", _UNSEEN_S)
        return Verdict(waiting="the operator", problems=warned(sight, _UNSEEN_S) or [unseen])
    now = conditions(status)
    ready = now.get("Ready", {})
    if ready.get("reason") == "ValidationFailed":
        return Verdict(problems=[Problem(f"it is invalid: {ready.get('message')}", 0.0)])
    # While a changed service starts, the one of before still answers.
    changing = now.get("UpgradeInProgress", {}).get("status") == "True"
    failed = list(_failed(status))
    if ready.get("status") == "True" and not changing and not failed:
        return Verdict(answer={})
    waiting = str(ready.get("message") or "its applications")
    logged = [Problem(sight.logged, _LOGGED_S, "logged")] if sight.logged and not failed else []
    return Verdict(waiting=waiting, problems=[*failed, *problems_of(sight.pods), *logged])


def _failed(status: Mapping[str, Any]) -> Iterator[Problem]:
    for which in ("pendingServiceStatus", "activeServiceStatus"):
        for name, app in ((status.get(which) or {}).get("applicationStatuses") or {}).items():
            if app.get("status") in ("DEPLOY_FAILED", "UNHEALTHY"):
                said = " ".join(str(app.get("message") or "").split())
                yield Problem(f"application {name}: {app['status']}: {said}", _DEPLOY_FAILED_S)
