"""The Jobs API: what is sent, what is checked first, and what happens when the connection breaks."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest
import ray

from workloads.protocol.events import Event, Parser
from workloads.runner.jobs_api import ClusterError, Jobs, check_version, new_id, server_version, working_dir


class Head(Protocol):
    token: str
    url: str


@contextmanager
def answering(status: int, body: str, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """Answer every request alike; yield the URL and the Authorization headers that came."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 — the name is the standard library's
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


def test_a_cluster_of_the_same_ray_is_accepted() -> None:
    with answering(200, json.dumps({"ray_version": ray.__version__})) as (url, seen):
        check_version(url, "secret")
    assert seen == ["Bearer secret"]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, "", "wrong token"),
        (403, "", "wrong token"),
        (404, "", "answers HTTP 404: is that a Ray dashboard?"),
        (200, "<html>", "not as a Ray dashboard does"),
        (200, "[]", "not as a Ray dashboard does"),
        (200, '{"ray_version": "2.9.1"}', "Ray versions differ: the cluster runs 2.9.1"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_line(status: int, body: str, message: str) -> None:
    with answering(status, body) as (url, _), pytest.raises(ClusterError) as caught:
        Jobs(url, "secret")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_nobody_at_the_address_means_that_the_cluster_is_down() -> None:
    with pytest.raises(ClusterError, match="the Ray cluster is down"):
        server_version("http://127.0.0.1:9", "secret")


def test_the_token_follows_no_redirect() -> None:
    with (
        answering(200, "{}") as (elsewhere, seen),
        answering(302, "", Location=elsewhere) as (url, _),
        pytest.raises(ClusterError, match="answers HTTP 302"),
    ):
        server_version(url, "secret")
    assert seen == []


def test_a_job_brings_the_package_and_nothing_else() -> None:
    with working_dir() as folder:
        assert [path.name for path in folder.iterdir()] == ["workloads"]
        names = {path.name for path in (folder / "workloads").rglob("*")}
        assert {"job.py", "mandelbrot.py"} <= names
        assert not {name for name in names if not name.endswith(".py")}
    assert not Path(folder).exists()


def test_every_job_has_a_name_of_its_own() -> None:
    assert len({new_id("pi") for _ in range(100)}) == 100


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
    jobs.submit(job, {"workload": "connectivity", "rounds": 3, "tasks": 5}, python="python")
    text = "".join(jobs.follow(job))
    assert text == jobs._client.get_job_logs(job)
    kinds = [item.kind for item in Parser().feed(text) if isinstance(item, Event)]
    assert kinds == ["nodes", "round", "round", "round", "result"]
    assert jobs.end(job)[0] == "SUCCEEDED"


@pytest.mark.ray
def test_a_job_that_fails_tells_why(head: Head) -> None:
    jobs = Jobs(head.url, head.token)
    job = new_id("wrong")
    jobs.submit(job, {"workload": "wrong"})
    text = "".join(jobs.follow(job))
    (error,) = [item for item in Parser().feed(text) if isinstance(item, Event) and item.kind == "error"]
    assert "workload 'wrong' is unknown" in error.values["message"]
    assert jobs.end(job)[0] == "FAILED"


@pytest.mark.ray
def test_stopping_a_job_that_was_never_there_ends(head: Head) -> None:
    assert Jobs(head.url, head.token).stop(new_id("pi"))
