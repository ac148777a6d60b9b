"""Decides how a job is submitted to a cluster, followed to its end and stopped."""

import asyncio
import json
import shlex
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ray.job_submission import JobStatus

from workloads.runner.jobs_api.dashboard import ClusterError, check_version, connect, one_line
from workloads.runner.jobs_api.job import COMMAND, Job, job_of
from workloads.runner.jobs_api.packages import pip_of
from workloads.runner.jobs_api.parcels import shortened
from workloads.runner.jobs_api.shipment import working_dir
from workloads.runner.jobs_api.work import largest_files

# How long the cluster may be silent while a job runs before it counts as down.
SILENCE_S = 60.0
POLL_S = 1.0
STOP_TIMEOUT_S = 40.0
# Ray's own limit of 600 s is too short for a Pi that installs from the internet to a card.
SETUP_TIMEOUT_S = 1800
ABSENT_ANSWERS = 4
# Of one request: DASHBOARD_CLIENT_MAX_SIZE in ray/_private/ray_constants.py of 2.60.0.
MAX_PACKED_MIB = 100
_TOO_LARGE = "status code 413"


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
        self._client = connect(url, token)
        self._url = url

    def submit(
        self,
        job: str,
        request: Mapping[str, Any],
        packages: Sequence[str] = (),
        python: str = "python",
        wheels_url: str | None = None,
    ) -> None:
        """Start `python -m workloads.driver REQUEST` on the head.

        Args:
            job: Submission id from `new_id`: known before the job is there, so that it can always be stopped.
            request: What to compute and where, JSON types only.
            packages: Requirements that the cluster's image lacks.
            python: The interpreter on the head.
            wheels_url: Where the cluster gets these from; None for the internet.

        Raises:
            ClusterError: If the cluster refuses the job.
        """
        entrypoint = f"{shlex.quote(python)} -m workloads.driver {shlex.quote(json.dumps(request))}"
        with working_dir() as folder:
            environment: dict[str, Any] = {"working_dir": str(folder)}
            if packages:
                environment["pip"] = pip_of(packages, wheels_url)
            self.start(job, entrypoint, environment)

    def start(
        self, job: str, entrypoint: str, environment: Mapping[str, Any], command: str | None = None
    ) -> None:
        """Start a command on the head.

        Args:
            job: Submission id from `new_id`.
            entrypoint: The command, as a shell reads it.
            environment: What it needs, as Ray describes that.
            command: What people are shown as its command; None for the command itself.

        Raises:
            ClusterError: If the cluster refuses the job.
        """
        shown = {COMMAND: command} if command is not None else None
        limits = {"config": {"setup_timeout_seconds": SETUP_TIMEOUT_S}} if "pip" in environment else {}
        try:
            with one_line(self._url):
                self._client.submit_job(
                    entrypoint=entrypoint,
                    submission_id=job,
                    runtime_env={**environment, **limits},
                    metadata=shown,
                )
        except ClusterError as error:
            if _TOO_LARGE not in str(error):
                raise
            folder = Path(environment["working_dir"])
            raise ClusterError(
                f"the files in {folder} are more than the {MAX_PACKED_MIB} MiB that Ray takes, packed: "
                f"{largest_files(folder)}."
            ) from None

    def all(self) -> list[Job]:
        """Return all jobs that the cluster still knows, the newest first.

        Raises:
            ClusterError: If the cluster does not answer.
        """
        with one_line(self._url):
            found = [job_of(each) for each in self._client.list_jobs() if each.submission_id]
        return sorted(found, key=lambda job: (job.started_s or 0.0, job.id), reverse=True)

    def find(self, name: str) -> Job:
        """Return the job with an id, or with the only id that begins so, or whose last part does.

        Raises:
            ClusterError: If there is none, or more than one; names those that there are.
        """
        known = self.all()
        found = [job for job in known if job.id == name] or [job for job in known if job.is_named(name)]
        if len(found) == 1:
            return found[0]
        listed = shortened([job.id for job in found or known]) or "none at all"
        what = "more than one job has an id that begins with" if found else "the cluster has no job"
        raise ClusterError(f"{what} {name}; it has {listed}.")

    def log(self, job: str) -> str:
        """Return what a job has written so far.

        Raises:
            ClusterError: If the cluster does not answer.
        """
        with one_line(self._url):
            return str(self._client.get_job_logs(job))

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

    def get(self, job: str) -> Job:
        """Return what the cluster knows of one job.

        Raises:
            ClusterError: If the cluster does not answer, or has no such job.
        """
        with one_line(self._url):
            return job_of(self._client.get_job_info(job))

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
                with one_line(self._url):
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
                    with one_line(self._url):
                        self._status(job)
                text = task.result()
                if text is None:
                    return
                yield text
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
                with one_line(self._url):
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


async def _next(stream: AsyncIterator[str]) -> str | None:
    try:
        return await anext(stream)
    except StopAsyncIteration:
        return None


async def _close(stream: Any) -> None:
    await stream.aclose()
