"""Looks at a custom resource again and again, until it is what was asked for or never will be."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.api_server import ApiError
from infra.kuberay.watch.verdict import Problem, Sight, Verdict

_POLL_S = 2.0
# A server that joins makes the API server stop for a moment; a busy card does so, too.
_UNREACHABLE_S = 120.0
# The operator replaces a pod that has failed: its problem is away for a moment, and there again.
_GONE_S = 60.0


class WatchError(Exception):
    """The resource is not what was asked for, and nobody waits for it any longer; the text says why."""


def watch(
    look: Callable[[], Sight],
    judge: Callable[[Sight], Verdict],
    limit_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Mapping[str, Any] | None:
    """Return what a resource has become, or None if it is still on its way at the limit, without a problem.

    Args:
        look: Asks the cluster.
        judge: Judges what it says.
        limit_s: For how long it is waited for.
        clock: Seconds.
        sleep: Waits.

    Raises:
        WatchError: If a problem has lasted for longer than it may, or is there at the limit.
        ApiError: If the cluster does not answer for long.
    """
    began = answered = clock()
    seen: dict[str, tuple[float, float]] = {}
    while True:
        try:
            verdict = judge(look())
            answered = clock()
        except ApiError as error:
            if error.status or clock() - answered > _UNREACHABLE_S:
                raise
            sleep(_POLL_S)
            continue
        if verdict.answer is not None:
            return verdict.answer
        now = clock()
        seen = _note(seen, verdict.problems, now)
        lasting = [one for one in verdict.problems if _is_over(one, now - seen[_kind(one)][0])]
        if lasting or (verdict.problems and now - began >= limit_s):
            raise WatchError(_told(verdict, lasting or verdict.problems))
        if now - began >= limit_s:
            return None
        sleep(_POLL_S)


def _note(
    seen: Mapping[str, tuple[float, float]], problems: Sequence[Problem], now: float
) -> dict[str, tuple[float, float]]:
    """Note since when, and when last, each kind of problem was seen."""
    kept = {kind: times for kind, times in seen.items() if now - times[1] <= _GONE_S}
    return kept | {kind: (kept.get(kind, (now, now))[0], now) for kind in map(_kind, problems)}


def _kind(problem: Problem) -> str:
    return problem.kind or problem.text


def _is_over(problem: Problem, lasted_s: float) -> bool:
    return problem.patience_s is not None and lasted_s >= problem.patience_s


def _told(verdict: Verdict, problems: Sequence[Problem]) -> str:
    told = "; ".join(dict.fromkeys(one.text for one in problems))
    return f"{told} (waiting for {verdict.waiting})" if verdict.waiting else told
