"""Decides whom the proxy lets through to Ray's dashboard: one browser of this machine, and only to look.

Ray's own way is a cookie that holds the cluster's token for 30 days. Browsers send cookies of 127.0.0.1 to
every port of it, so any program of this machine that the user visits would learn the token. The cookie here
opens this proxy alone, and only until it ends.
"""

import hmac
import secrets
import threading
from collections.abc import Mapping
from enum import Enum
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

COOKIE = "piray-dashboard"
OPEN_PATH = "/piray-open"
# The dashboard's pages send nothing else: Ray refuses every other method to a browser.
METHODS = ("GET", "HEAD")


class Answer(Enum):
    """What becomes of a request."""

    PASS = "pass"  # noqa: S105 — no password
    OPEN = "open"
    USED = "used"
    REFUSE = "refuse"


class Admission:
    """One user's way in.

    Attributes:
        cookie: What the browser has to send, once it was let in. Secret.

    Args:
        port: The proxy's port on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._host = f"127.0.0.1:{port}"
        self._key = secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        self._opened = False
        self.cookie = secrets.token_urlsafe(32)

    @property
    def link(self) -> str:
        """The address that lets the first browser in that opens it, and no second one. Secret."""
        return f"http://{self._host}{OPEN_PATH}?key={self._key}"

    def judge(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        """Decide on a request.

        Args:
            method: As in HTTP.
            path: With its query.
            headers: By their names in lower case.
        """
        # Another name in Host is DNS rebinding: a page of the internet whose name leads to 127.0.0.1.
        if headers.get("host") != self._host or method not in METHODS:
            return Answer.REFUSE
        if headers.get("origin", self._origin) != self._origin:
            return Answer.REFUSE
        parts = urlsplit(path)
        if parts.path == OPEN_PATH:
            return self._open(parse_qs(parts.query).get("key", [""])[0])
        # 127.0.0.1 with another port is the same site, so the browser sends the cookie there and from there.
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return Answer.REFUSE
        sent = _cookie(headers.get("cookie", ""))
        return Answer.PASS if hmac.compare_digest(sent.encode(), self.cookie.encode()) else Answer.REFUSE

    @property
    def _origin(self) -> str:
        return f"http://{self._host}"

    def _open(self, key: str) -> Answer:
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            return Answer.REFUSE
        with self._lock:
            if self._opened:
                return Answer.USED
            self._opened = True
        return Answer.OPEN


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
