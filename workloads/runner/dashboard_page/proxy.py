"""Decides how a browser's requests reach Ray's dashboard: with the token, which the browser never sees."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from workloads.runner.dashboard_page.admission import COOKIE, Admission, Answer
from workloads.runner.jobs_api.dashboard import ClusterError

LOOPBACK = "127.0.0.1"
# Logs are streamed: nothing may come for a long time.
_TIMEOUT_S = 300.0
_PIECE_BYTES = 64 * 1024
# What belongs to one connection (RFC 9110, section 7.6.1), what the proxy says itself, and credentials.
_OWN_HEADERS = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "trailers"),
    *("transfer-encoding", "upgrade", "host", "cookie", "authorization", "x-ray-authorization", "set-cookie"),
}
_REFUSED = "This page is for the browser that `piray dashboard` opened. Use the link that it printed.\n"
_USED = (
    "This link was used already, and opens one browser only. For another one, end `piray dashboard` "
    "and start it again. If it was not you who used it, do so, too.\n"
)
# A page and no redirect: a browser that came from another site would keep the cookie back after one.
_OPENED = '<!doctype html><title>Ray</title><meta http-equiv="refresh" content="0; url=/">\n'


@contextmanager
def serving(url: str, token: str, port: int = 0) -> Iterator[Admission]:
    """Serve the dashboard on a port of this machine's loopback inside the block.

    Args:
        url: The dashboard, as in http://127.0.0.1:8265.
        token: Bearer token. Secret.
        port: Where to listen; 0 for any free port.

    Yields:
        Who is let in.

    Raises:
        ClusterError: If the port is taken.
    """
    try:
        server = _Server((LOOPBACK, port), _Handler)
    except OSError as error:
        raise ClusterError(
            f"port {port} of this machine cannot be used ({error.strerror}): give another one with "
            "--port, or leave --port out."
        ) from None
    server.url, server.token, server.admission = url, token, Admission(server.server_port)
    thread = threading.Thread(target=server.serve_forever, name="piray-dashboard", daemon=True)
    thread.start()
    try:
        yield server.admission
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    url: str
    token: str
    admission: Admission

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a browser that closes a connection is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # noqa: N802 — the name is the standard library's
        self._answer()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815 — as above

    def log_message(self, *_: Any) -> None:
        """Say nothing: the path may hold the key."""

    def _answer(self) -> None:
        # A request with a body is refused, and its body never read.
        self.close_connection = True
        headers = {name.lower(): value for name, value in self.headers.items()}
        match self.server.admission.judge(self.command, self.path, headers):
            case Answer.PASS:
                self._pass()
            case Answer.OPEN:
                cookie = f"{COOKIE}={self.server.admission.cookie}; Path=/; HttpOnly; SameSite=Strict"
                self._say(200, _OPENED, "text/html", cookie)
            case Answer.USED:
                self._say(403, _USED)
            case Answer.REFUSE:
                self._say(403, _REFUSED)

    def _say(self, status: int, text: str, kind: str = "text/plain", cookie: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _pass(self) -> None:
        parts = urlsplit(self.server.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=_TIMEOUT_S)
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_HEADERS}
        try:
            connection.request(
                self.command,
                f"{parts.path.rstrip('/')}{self.path}",
                headers={**sent, "Authorization": f"Bearer {self.server.token}"},
            )
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._say(502, f"Ray's dashboard does not answer ({error}): `piray status` says more.\n")
            connection.close()
            return
        try:
            self._relay(response)
        finally:
            connection.close()

    def _relay(self, response: http.client.HTTPResponse) -> None:
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, value)
        # Without a length the end of the connection is the end of the answer.
        self.send_header("Connection", "close")
        self.send_header("X-Frame-Options", "SAMEORIGIN")
        self.end_headers()
        while piece := response.read1(_PIECE_BYTES):
            self.wfile.write(piece)
            self.wfile.flush()
