"""Jobs on a real head: followed when the connection breaks, failed with a reason, stopped."""

from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from workloads.protocol.events import Event, Parser
from workloads.protocol.specs import ConnectivitySpec, Request
from workloads.runner.jobs_api.job import new_id
from workloads.runner.jobs_api.jobs import Jobs


class Head(Protocol):
    token: str
    url: str


@pytest.mark.ray
def test_a_log_whose_web_socket_breaks_is_polled_without_losing_or_repeating_a_line(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs(head.url, head.token)
    job = new_id("connectivity")
    tail = jobs._client.tail_job_logs

    async def broken(name: str) -> AsyncIterator[str]:
        async for text in tail(name):
            # Cut in the middle of a line, as a connection is.
            yield text[: len(text) // 2]
            raise RuntimeError("WebSocket connection closed unexpectedly")

    monkeypatch.setattr(jobs._client, "tail_job_logs", broken)
    request = Request(spec=ConnectivitySpec(rounds=3, tasks=5), expected=1, cpus=None, temp_dir=None)
    jobs.submit(job, request.to_dict(), python="python")
    text = "".join(jobs.follow(job))
    assert text == jobs._client.get_job_logs(job)
    kinds = [item.kind for item in Parser().feed(text) if isinstance(item, Event)]
    assert kinds == ["nodes", "round", "round", "round", "after", "result"]
    assert jobs.get(job).status == "SUCCEEDED"


@pytest.mark.ray
def test_a_job_that_fails_tells_why(head: Head) -> None:
    jobs = Jobs(head.url, head.token)
    job = new_id("wrong")
    jobs.submit(job, {"workload": "wrong"})
    text = "".join(jobs.follow(job))
    (error,) = [item for item in Parser().feed(text) if isinstance(item, Event) and item.kind == "error"]
    assert "workload is 'wrong' and must be one of mandelbrot, sweep" in error.values["message"]
    assert jobs.get(job).status == "FAILED"


@pytest.mark.ray
def test_stopping_a_job_that_was_never_there_ends(head: Head) -> None:
    assert Jobs(head.url, head.token).stop(new_id("pi"))
