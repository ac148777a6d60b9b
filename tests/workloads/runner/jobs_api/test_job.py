"""A job by its names."""

from types import SimpleNamespace

import pytest

from workloads.protocol.parcel import MARK
from workloads.runner.jobs_api import jobs as jobs_module
from workloads.runner.jobs_api.dashboard import ClusterError
from workloads.runner.jobs_api.job import Job, job_of, new_id
from workloads.runner.jobs_api.jobs import Jobs


def job(name: str) -> Job:
    return Job(
        id=name, status="RUNNING", entrypoint="true", message="", started_s=None, ended_s=None, exit_code=None
    )


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Return a cluster that knows twelve jobs."""
    monkeypatch.setattr(jobs_module, "check_version", lambda *_: None)
    monkeypatch.setattr(jobs_module, "connect", lambda *_: None)
    names = [*(f"piray-job-{index:08x}" for index in range(10)), "piray-nodes-abcd0123", "raysubmit_Xyz123"]
    monkeypatch.setattr(Jobs, "all", lambda _: [job(name) for name in names])
    return Jobs("", "")


def test_every_job_has_a_name_of_its_own() -> None:
    assert len({new_id("pi") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("piray-job-00000003", "piray-job-00000003"),
        ("piray-n", "piray-nodes-abcd0123"),
        ("abcd0123", "piray-nodes-abcd0123"),
        ("abc", "piray-nodes-abcd0123"),
        ("Xyz", "raysubmit_Xyz123"),
    ],
)
def test_a_job_is_found_by_a_beginning_that_no_other_has(name: str, found: str, known: Jobs) -> None:
    assert known.find(name).id == found


def test_a_job_that_is_not_there_is_answered_with_some_that_are(known: Jobs) -> None:
    with pytest.raises(ClusterError, match="has no job nothing; it has piray-job-00000000, .* and 4 more"):
        known.find("nothing")
    with pytest.raises(
        ClusterError, match="more than one job has an id that begins with 0000; .* and 2 more"
    ):
        known.find("0000")


def test_files_at_the_end_of_the_log_are_no_part_of_the_message() -> None:
    message = f"Job entrypoint command failed with exit code 7, last:\nabc=\n\n{MARK}{{}}\n"
    status = SimpleNamespace(value="FAILED")
    told = SimpleNamespace(
        **{"submission_id": "a", "status": status, "entrypoint": "python -I", "message": message},
        **{"start_time": 1000, "end_time": None, "driver_exit_code": 7, "metadata": {"piray_command": "x"}},
    )
    assert job_of(told) == Job(
        id="a",
        status="FAILED",
        entrypoint="x",
        message="Job entrypoint command failed with exit code 7, last:",
        started_s=1.0,
        ended_s=None,
        exit_code=7,
    )
