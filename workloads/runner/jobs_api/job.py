"""Decides what a job is to its user: its id, its command, how it goes and how it ended."""

import re
import secrets
from dataclasses import dataclass
from typing import Any

from workloads.protocol.parcel import MARK

# Where a job keeps what people are shown as its command.
COMMAND = "piray_command"


def new_id(workload: str) -> str:
    """Return a submission id that no job has yet."""
    return f"piray-{workload}-{secrets.token_hex(4)}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the cluster knows of a job.

    Attributes:
        id: Submission id.
        status: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED.
        entrypoint: Its command.
        message: What Ray says of how it ended.
        started_s: When it began, in seconds since 1970; None if it has not.
        ended_s: When it ended; None if it has not.
        exit_code: Of its command; None if that did not end by itself.
    """

    id: str
    status: str
    entrypoint: str
    message: str
    started_s: float | None
    ended_s: float | None
    exit_code: int | None

    def is_named(self, name: str) -> bool:
        """Say whether the id begins with a name, or its last part does: piray-job-1a2b3c4d also with 1a2b."""
        return self.id.startswith(name) or re.split("[-_]", self.id)[-1].startswith(name)


def job_of(details: Any) -> Job:
    """Return what matters of what Ray says of a job.

    Args:
        details: Ray's JobDetails.
    """
    return Job(
        id=str(details.submission_id),
        status=str(details.status.value),
        entrypoint=str((details.metadata or {}).get(COMMAND, details.entrypoint)),
        message=_message(str(details.message or "")),
        started_s=details.start_time and details.start_time / 1000,
        ended_s=details.end_time and details.end_time / 1000,
        exit_code=details.driver_exit_code,
    )


def _message(text: str) -> str:
    """Return what Ray says of a job's end, without the end of its log where that is a parcel of files."""
    return text.partition("\n")[0] if MARK in text else text
