"""Decides how a workload is submitted to a Ray cluster by its Jobs API, followed and stopped.

Only HTTP is needed, so the Python versions of this machine and of the cluster need not agree.
"""

import asyncio
import http.client
import json
import logging
import os
import secrets
import shlex
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray.job_submission import JobStatus, JobSubmissionClient

REQUEST_TIMEOUT_S = 20.0
# How long the cluster may be silent while a job runs before it counts as down.
SILENCE_S = 60.0
POLL_S = 1.0
STOP_TIMEOUT_S = 40.0
ABSENT_ANSWERS = 4
# Variables that would send the client to another cluster than the one asked for.
ADDRESS_VARIABLES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")


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
    request = urllib.request.Request(f"{url}/api/version", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 — the scheme was checked by whoever made the url
    try:
        with _opener().open(request, timeout=REQUEST_TIMEOUT_S) as response:
            return str(json.load(response)["ray_version"])
    except urllib.error.HTTPError as error:
        if error.code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise ClusterError(
                f"wrong token: the Ray cluster at {url} refuses this stack's rayToken; "
                "run `make up STACK=<name>` to read it anew."
            ) from None
        raise ClusterError(f"{url} answers HTTP {error.code}: is that a Ray dashboard?") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ClusterError(
            f"the Ray cluster is down: nobody answers at {url} ({reason}); "
            "start it with `make up STACK=<name>`."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ClusterError(f"{url} answers, but not as a Ray dashboard does.") from None


def check_version(url: str, token: str) -> None:
    """Refuse a cluster whose Ray is not the one installed here.

    Raises:
        ClusterError: As `server_version`, and if the versions differ.
    """
    theirs, ours = server_version(url, token), str(ray.__version__)
    if theirs != ours:
        raise ClusterError(
            f"Ray versions differ: the cluster runs {theirs}, this piray was locked with {ours}; "
            f"set piray:ray version to {ours} and run `make up`, or check out the piray that made the stack."
        )


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


def new_id(workload: str) -> str:
    """Return a submission id that no job has yet."""
    return f"piray-{workload}-{secrets.token_hex(4)}"


class Jobs:
    """The jobs of one cluster.

    Args:
        url: The dashboard, as in http://127.0.0.1:8265.
        token: Bearer token. Secret.

    Raises:
        ClusterError: If the cluster cannot be used.
    """

    def __init__(self, url: str, token: str) -> None:
        check_version(url, token)
        for handler in logging.getLogger("ray").handlers:
            handler.setLevel(logging.ERROR)
        with _without(ADDRESS_VARIABLES), _one_line(url):
            self._client = _Client(url, headers={"Authorization": f"Bearer {token}"})
        self._url = url

    def submit(
        self, job: str, spec: Mapping[str, Any], packages: Sequence[str] = (), python: str = "python"
    ) -> None:
        """Start `python -m workloads.driver SPEC` on the head.

        Args:
            job: Submission id from `new_id`: known before the job is there, so that it can always be stopped.
            spec: What to compute, JSON types only.
            packages: Requirements that the cluster's image lacks.
            python: The interpreter on the head.

        Raises:
            ClusterError: If the cluster refuses the job.
        """
        entrypoint = f"{shlex.quote(python)} -m workloads.driver {shlex.quote(json.dumps(spec))}"
        with working_dir() as folder, _one_line(self._url):
            environment: dict[str, Any] = {"working_dir": str(folder)}
            if packages:
                environment["pip"] = list(packages)
                # Ray's own limit of 600 s is too short for a Pi that installs from the internet to a card.
                environment["config"] = {"setup_timeout_seconds": 1800}
            self._client.submit_job(entrypoint=entrypoint, submission_id=job, runtime_env=environment)

    def follow(self, job: str) -> Iterator[str]:
        """Yield the job's output in pieces until it ends; by web socket, and by polling once that breaks.

        Raises:
            ClusterError: If the cluster stops answering.
        """
        seen = 0
        with suppress(_TailBrokenError):
            for text in self._tail(job):
                seen += len(text)
                yield text
        yield from self._poll(job, seen)

    def end(self, job: str) -> tuple[str, str]:
        """Return a finished job's status and message.

        Raises:
            ClusterError: If the cluster does not answer.
        """
        with _one_line(self._url):
            info = self._client.get_job_info(job)
        return str(info.status.value), str(info.message or "")

    def stop(self, job: str) -> bool:
        """Stop a job and wait until it has ended.

        Returns:
            False if it was still running after the time that stopping may take.
        """
        limit = time.monotonic() + STOP_TIMEOUT_S
        asked, absent = False, 0
        # A job that is being submitted appears a moment later: one answer that there is none proves nothing.
        while time.monotonic() < limit and absent < ABSENT_ANSWERS:
            try:
                with _one_line(self._url):
                    if self._status(job).is_terminal():
                        return True
                    asked = asked or bool(self._client.stop_job(job))
            except ClusterError as error:
                absent += "does not exist" in str(error)
            time.sleep(POLL_S / 2)
        return absent >= ABSENT_ANSWERS

    def _status(self, job: str) -> JobStatus:
        return self._client.get_job_status(job)

    def _tail(self, job: str) -> Iterator[str]:
        loop = asyncio.new_event_loop()
        stream: AsyncIterator[str] = self._client.tail_job_logs(job)
        try:
            while True:
                task = loop.create_task(_next(stream))
                while not loop.run_until_complete(asyncio.wait({task}, timeout=SILENCE_S / 4))[0]:
                    # Nothing to say is no sign of trouble; a head that does not answer is.
                    with _one_line(self._url):
                        self._status(job)
                text = task.result()
                if text is None:
                    return
                yield text
        except (OSError, RuntimeError, ClusterError) as error:
            raise _TailBrokenError from error
        except Exception as error:
            # aiohttp, which Ray uses here, has exceptions of its own for a socket that breaks.
            raise _TailBrokenError from error
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            with suppress(Exception):
                loop.run_until_complete(asyncio.wait_for(_close(stream), POLL_S))
            loop.close()

    def _poll(self, job: str, seen: int) -> Iterator[str]:
        limit = time.monotonic() + SILENCE_S
        while True:
            try:
                with _one_line(self._url):
                    ended = self._status(job).is_terminal()
                    text = self._client.get_job_logs(job)
            except ClusterError as error:
                if time.monotonic() > limit:
                    raise ClusterError(f"the cluster stopped answering while the job ran: {error}") from None
                time.sleep(POLL_S)
                continue
            limit = time.monotonic() + SILENCE_S
            if len(text) > seen:
                yield text[seen:]
                seen = len(text)
            if ended:
                return
            time.sleep(POLL_S)


class _TailBrokenError(Exception):
    """The web socket of the log broke; the log has to be polled."""


@contextmanager
def working_dir() -> Iterator[Path]:
    """Make a folder that holds the `workloads` package and nothing else, for the cluster to run."""
    with tempfile.TemporaryDirectory(prefix="piray-job-") as folder:
        target = Path(folder)
        shutil.copytree(
            Path(__file__).parent, target / "workloads", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
        yield target


async def _next(stream: AsyncIterator[str]) -> str | None:
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None


async def _close(stream: Any) -> None:
    await stream.aclose()


def _keep_headers(request: Any) -> Any:
    return request


def _opener() -> urllib.request.OpenerDirector:
    # No proxy and no redirect: either would hand the token to somebody else.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    taken = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)


@contextmanager
def _one_line(url: str) -> Iterator[None]:
    """Turn what Ray's client raises into a ClusterError of one line."""
    try:
        yield
    except OSError as error:
        raise ClusterError(f"the Ray cluster at {url} does not answer ({_last_line(error)}).") from None
    except (RuntimeError, ray.exceptions.RayError, ray.exceptions.AuthenticationError) as error:
        raise ClusterError(f"the Ray cluster at {url} refused: {_last_line(error)}") from None


def _last_line(error: Exception) -> str:
    # The server answers a failed request with its whole traceback; its last line says what was wrong.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
