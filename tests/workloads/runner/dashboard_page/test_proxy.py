"""The proxy puts the token in and takes credentials out; whoever listens elsewhere learns nothing."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from workloads.runner.dashboard_page.admission import COOKIE, Admission
from workloads.runner.dashboard_page.proxy import serving
from workloads.runner.jobs_api.dashboard import ClusterError


@contextmanager
def ray() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Answer as a dashboard that sets its cookie; yield the URL and the headers that came."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 — the name is the standard library's
            seen.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            self.send_response(404 if self.path == "/missing" else 200)
            self.send_header("Set-Cookie", "ray-authentication-token=secret")
            self.send_header("Cache-Control", "max-age=5")
            self.end_headers()
            self.wfile.write(b"a page")

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


def get(
    admission: Admission, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, dict[str, str]]:
    host = admission.link.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    try:
        return response.status, response.read().decode(), dict(response.getheaders())
    finally:
        connection.close()


def cookie(admission: Admission) -> str:
    return f"{COOKIE}={admission.cookie}"


def test_the_link_gives_a_cookie_that_lets_in_and_is_not_the_token() -> None:
    with ray() as (url, seen), serving(url, "secret") as admission:
        status, text, headers = get(admission, admission.link[admission.link.index("/piray") :])
        assert (status, seen) == (200, [])
        assert "url=/" in text
        given = headers["Set-Cookie"]
        assert "HttpOnly; SameSite=Strict" in given
        assert "secret" not in given
        assert "Max-Age" not in given, "it ends with the browser"
        assert get(admission, "/api/x?y=1", Cookie=given.split(";")[0])[:2] == (200, "a page")
    (one,) = seen
    assert (one["path"], one["authorization"]) == ("/api/x?y=1", "Bearer secret")


def test_credentials_of_the_browser_do_not_reach_ray_and_rays_cookie_does_not_reach_the_browser() -> None:
    with ray() as (url, seen), serving(url, "secret") as admission:
        _, _, headers = get(
            admission,
            "/",
            Cookie=cookie(admission),
            Authorization="Bearer other",
            **{"User-Agent": "Mozilla"},
        )
    assert "Set-Cookie" not in headers
    assert headers["Cache-Control"] == "max-age=5"
    (one,) = seen
    assert one["authorization"] == "Bearer secret"
    assert "cookie" not in one
    # By it Ray knows a browser, and shows no secrets of a job's environment.
    assert one["user-agent"] == "Mozilla"


def test_nobody_else_reaches_ray() -> None:
    with ray() as (url, seen), serving(url, "secret") as admission:
        for method, headers in (
            ("GET", {}),
            ("POST", {"Cookie": cookie(admission)}),
            ("GET", {"Cookie": cookie(admission), "Host": "evil.example"}),
            ("GET", {"Cookie": cookie(admission), "Origin": "https://evil.example"}),
        ):
            status, text, _ = get(admission, "/api/jobs/", method, **headers)
            assert status == 403
            assert "secret" not in text
    assert seen == []


def test_a_used_link_says_so() -> None:
    with ray() as (url, _), serving(url, "secret") as admission:
        path = admission.link[admission.link.index("/piray") :]
        assert get(admission, path)[0] == 200
        status, text, _ = get(admission, path)
    assert status == 403
    assert "was used already" in text


def test_what_ray_answers_stays_as_it_is_and_a_ray_that_is_gone_is_said() -> None:
    with ray() as (url, _), serving(url, "secret") as admission:
        assert get(admission, "/missing", Cookie=cookie(admission))[0] == 404
    with serving(url, "secret") as admission:
        status, text, _ = get(admission, "/", Cookie=cookie(admission))
    assert status == 502
    assert "`piray status` says more" in text


def test_a_port_that_is_taken_is_refused_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"port {port} of this machine cannot be used .* --port"):
            serving("http://127.0.0.1:9", "secret", port).__enter__()
