"""Whether a RayCluster is what was asked for. Pure.

Its own `status.state` is of no use for that: once "ready", it stays so while all pods are made anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.kuberay.watch.pods import is_going, is_ready, problems_of
from infra.kuberay.watch.verdict import Problem, Sight, Verdict, conditions, warned
from infra.names import ANNOTATION_REVISION, LABEL_RAY_GROUP, LABEL_RAY_NODE_TYPE

_UNSEEN_S = 60.0
_REFUSED_S = 60.0


def judge_cluster(sight: Sight, revision: str, least: Mapping[str, int]) -> Verdict:
    """Judge a RayCluster by its pods.

    Args:
        sight: What the cluster says.
        revision: What each of its pods has in its annotation if it is made as declared last.
        least: By the name of a group, how many workers have to be there.
    """
    live = sight.live
    if live.get("status", {}).get("observedGeneration") != live["metadata"].get("generation"):
        unseen = Problem("the operator has not looked at it", _UNSEEN_S)
        return Verdict(waiting="the operator", problems=warned(sight, 0.0) or [unseen])
    heads = [pod for pod in sight.pods if _label(pod, LABEL_RAY_NODE_TYPE) == "head"]
    missing = [] if _ready(heads, revision) >= 1 else ["the head"]
    for group, count in least.items():
        ready = _ready([pod for pod in sight.pods if _label(pod, LABEL_RAY_GROUP) == group], revision)
        if ready < count:
            missing.append(f"{count - ready} of {count} workers of group {group}")
    old = [pod for pod in sight.pods if _revision(pod) != revision]
    if old:
        missing.append(f"the end of {len(old)} pods of before")
    if not missing:
        return Verdict(answer={})
    new = [pod for pod in sight.pods if pod not in old]
    return Verdict(waiting=", ".join(missing), problems=[*_refused(live), *problems_of(new)])


def _ready(pods: Sequence[Mapping[str, Any]], revision: str) -> int:
    return sum(is_ready(pod) and not is_going(pod) and _revision(pod) == revision for pod in pods)


def _refused(live: Mapping[str, Any]) -> list[Problem]:
    """Return what the API server said of pods that it would not take."""
    failure = conditions(live.get("status", {})).get("ReplicaFailure", {})
    return [Problem(str(failure.get("message")), _REFUSED_S)] if failure.get("status") == "True" else []


def _revision(pod: Mapping[str, Any]) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(ANNOTATION_REVISION, ""))


def _label(pod: Mapping[str, Any], name: str) -> str:
    return str((pod["metadata"].get("labels") or {}).get(name, ""))
