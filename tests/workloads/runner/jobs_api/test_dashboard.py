"""The dashboard is asked with the stack's token; whatever it answers instead of its version is one line."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import ray

from workloads.runner.jobs_api.dashboard import ClusterError, check_version, server_version
from workloads.runner.jobs_api.jobs import Jobs


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
