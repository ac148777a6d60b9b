"""Decides how the head's dashboard is asked: with the stack's token and nobody else's, and never for long.

Neither a proxy nor a redirect may see the token, and no setting of this machine leads to another cluster.
"""

import http.client
import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ray
from ray.job_submission import JobSubmissionClient

REQUEST_TIMEOUT_S = 20.0
# Variables that would send the client to another cluster than the one asked for.
ADDRESS_VARIABLES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
# An error of the server may be a page of text.
REASON_CHARACTERS = 300


class ClusterError(Exception):
    """The cluster cannot be used as asked; one line that says what to do."""


def server_version(url: str, token: str) -> str:
    """Ask the cluster for its Ray version.

    Args:
        url: The dashboard, as in http://127.0.0.1:8265.
        token: Bearer token. Secret.

    Raises:
        ClusterError: If nobody answers, the token is refused, or it is no Ray dashboard.
    """
    try:
        return str(ask(url, token, "/api/version")["ray_version"])
    except (KeyError, TypeError):
        raise ClusterError(f"{url} answers, but not as a Ray dashboard does.") from None


def ask(url: str, token: str, path: str) -> Any:
    """Return the JSON that the dashboard answers.

    Args:
        url: The dashboard, as in http://127.0.0.1:8265.
        token: Bearer token. Secret.
        path: What is asked for, with its query.

    Raises:
        ClusterError: If nobody answers, the token is refused, or the answer is an error or no JSON.
    """
    request = urllib.request.Request(f"{url}{path}", headers=_bearer(token))  # noqa: S310 — the scheme was checked by whoever made the url
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(request, timeout=REQUEST_TIMEOUT_S) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise _refusal(url, error) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ClusterError(
            f"the Ray cluster is down: nobody answers at {url} ({reason}); "
            "start it with `make up STACK=<name>`."
        ) from None
    except ValueError:
        raise ClusterError(f"{url} answers, but not as a Ray dashboard does.") from None


def check_version(url: str, token: str) -> None:
    """Refuse a cluster whose Ray is not the one installed here.

    Raises:
        ClusterError: As `server_version`, and if the versions differ.
    """
    theirs, ours = server_version(url, token), str(ray.__version__)
    if theirs != ours:
        raise ClusterError(
            f"Ray versions differ: the cluster runs {theirs}, this piray was made for {ours}; set the "
            f"version of piray:ray to {ours} and run `make up`, or check out the piray that made the stack."
        )


def connect(url: str, token: str) -> JobSubmissionClient:
    """Return Ray's client for a cluster that `check_version` lets through.

    Raises:
        ClusterError: If the cluster refuses the client.
    """
    for handler in logging.getLogger("ray").handlers:
        handler.setLevel(logging.ERROR)
    with _without(ADDRESS_VARIABLES), one_line(url):
        return _Client(url, headers=_bearer(token))


@contextmanager
def one_line(url: str) -> Iterator[None]:
    """Turn what Ray's client raises into a ClusterError of one line.

    Args:
        url: The dashboard, for messages.
    """
    try:
        yield
    except OSError as error:
        raise ClusterError(f"the Ray cluster at {url} does not answer ({_last_line(error)}).") from None
    except (RuntimeError, ray.exceptions.RayError, ray.exceptions.AuthenticationError) as error:
        raise ClusterError(f"the Ray cluster at {url} refused: {_last_line(error)}") from None


class _Client(JobSubmissionClient):
    """Ray's client with a time limit on every request and no other credentials than ours."""

    def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
        # requests would send a proxy of the environment our token, and put an entry of ~/.netrc in its place.
        options = {
            "proxies": {"no_proxy": "*"},
            "auth": _keep_headers,
            "timeout": REQUEST_TIMEOUT_S,
            **options,
        }
        return super()._do_request(method, endpoint, **options)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _refusal(url: str, error: urllib.error.HTTPError) -> ClusterError:
    if error.code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        return ClusterError(
            f"wrong token: the Ray cluster at {url} refuses this stack's rayToken; "
            "run `make up STACK=<name>` to renew it."
        )
    try:
        said = str(json.load(error)["msg"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ClusterError(f"{url} answers HTTP {error.code}: is that a Ray dashboard?")
    return ClusterError(f"the Ray cluster at {url} refused: {said[:REASON_CHARACTERS]}")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _keep_headers(request: Any) -> Any:
    return request


@contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    taken = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)


def _last_line(error: Exception) -> str:
    # The server answers a failed request with its whole traceback; its last line says what was wrong.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:REASON_CHARACTERS] if lines else type(error).__name__
