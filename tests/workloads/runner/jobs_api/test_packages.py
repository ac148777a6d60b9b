"""What a job installs, and from where."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

import pytest

from tests.wheel import PACKAGE, write_wheel
from workloads.protocol.events import Event, Parser
from workloads.protocol.specs import ConnectivitySpec, Request
from workloads.runner.jobs_api.dashboard import ClusterError
from workloads.runner.jobs_api.job import new_id
from workloads.runner.jobs_api.jobs import Jobs
from workloads.runner.jobs_api.packages import has_wheels, pip_of


class Head(Protocol):
    token: str
    url: str


def test_without_a_mirror_pip_takes_the_index_that_it_knows() -> None:
    assert pip_of(["numba==1"], None) == {"packages": ["numba==1"]}


def test_with_a_mirror_pip_asks_for_nothing_else() -> None:
    options = pip_of(["numba==1"], "http://192.0.2.10:8000/wheels/")["pip_install_options"]
    assert options[-3:] == [
        "--no-index",
        "--find-links=http://192.0.2.10:8000/wheels/",
        "--trusted-host=192.0.2.10:8000",
    ]
    assert not any(
        "trusted" in option for option in pip_of(["a==1"], "https://192.0.2.10/")["pip_install_options"]
    )


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder on loopback; yield its URL and the paths that were asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_mirror_has_wheels_if_it_lists_some(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with served(tmp_path) as (url, _):
        assert not has_wheels(f"{url}/wheels/")
        write_wheel(wheels)
        assert has_wheels(f"{url}/wheels/")
        assert not has_wheels(f"{url}/none/")
    assert not has_wheels(f"{url}/wheels/")


def submit_once_agent_is_there(jobs: Jobs, job: str, request: Mapping[str, Any], url: str) -> None:
    """A head that has just started may not know its own agent yet."""
    deadline = time.monotonic() + 120
    while True:
        try:
            jobs.submit(job, request, [PACKAGE], "python", url)
            return
        except ClusterError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@pytest.mark.ray
def test_a_job_installs_from_the_mirror_what_no_index_has(head: Head, tmp_path: Path) -> None:
    write_wheel(tmp_path)
    jobs, job = Jobs(head.url, head.token), new_id("connectivity")
    request = Request(spec=ConnectivitySpec(rounds=1, tasks=1), expected=1, cpus=None, temp_dir=None)
    with served(tmp_path) as (url, asked):
        submit_once_agent_is_there(jobs, job, request.to_dict(), f"{url}/")
        text = "".join(jobs.follow(job))
    assert jobs.get(job).status == "SUCCEEDED", jobs.get(job).message
    assert any(isinstance(item, Event) and item.kind == "result" for item in Parser().feed(text))
    assert "/piray_only_on_this_mirror-1.0-py3-none-any.whl" in asked
