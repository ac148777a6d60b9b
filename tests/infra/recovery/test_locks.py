"""Locks in a folder, of processes that live and that do not."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.recovery.locks import LockedError, backend_folder, release_dead_locks


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: piray\n")
    return folder


def lock(backend: Path, pid: int, host: str = "", age_s: float = 0) -> Path:
    folder = backend / ".pulumi/locks/organization/piray/home"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{pid}.json"
    since = datetime.now(UTC) - timedelta(seconds=age_s)
    # Go writes nanoseconds.
    content = {"username": "ann", "hostname": host or socket.gethostname(), "pid": pid}
    path.write_text(json.dumps({**content, "timestamp": since.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")}))
    return path


def release(backend: Path, project: Path) -> list[str]:
    return release_dead_locks("home", "piray", {"PULUMI_BACKEND_URL": f"file://{backend}"}, project)


def ended() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_the_lock_of_a_process_that_has_ended_is_removed_and_it_is_said(
    project: Path, tmp_path: Path
) -> None:
    path = lock(tmp_path, ended())
    (line,) = release(tmp_path, project)
    assert f"process {path.stem} of ann on {socket.gethostname()}, since 2" in line
    assert not path.exists()
    assert release(tmp_path, project) == []


def test_the_lock_of_a_living_process_stays_and_its_holder_is_named(project: Path, tmp_path: Path) -> None:
    path = lock(tmp_path, os.getpid())
    with pytest.raises(
        LockedError, match=f"process {os.getpid()} of ann on .*, since 2.*wait until it has ended"
    ):
        release(tmp_path, project)
    assert path.exists()


def test_the_lock_of_another_machine_stays_and_the_remedy_is_named(project: Path, tmp_path: Path) -> None:
    path = lock(tmp_path, ended(), host="somewhere-else")
    with pytest.raises(LockedError, match="on somewhere-else, since 2.*pulumi cancel --stack home"):
        release(tmp_path, project)
    assert path.exists()


def test_a_number_that_belongs_to_a_younger_process_now_is_no_living_owner(
    project: Path, tmp_path: Path
) -> None:
    path = lock(tmp_path, os.getpid(), age_s=10**6)
    assert len(release(tmp_path, project)) == 1
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": "x"}'])
def test_a_lock_that_says_nothing_stays_and_its_file_is_named(
    project: Path, tmp_path: Path, text: str
) -> None:
    path = lock(tmp_path, 1)
    path.write_text(text)
    with pytest.raises(LockedError, match=str(path)):
        release(tmp_path, project)


def test_the_backend_is_found_where_the_cli_looks(project: Path, tmp_path: Path) -> None:
    env = {"PULUMI_HOME": str(tmp_path / "home")}
    assert backend_folder(env, project) is None
    (tmp_path / "home").mkdir()
    (tmp_path / "home/credentials.json").write_text('{"current": "file:///by/login"}')
    assert backend_folder(env, project) == Path("/by/login")
    (project / "Pulumi.yaml").write_text("name: piray\nbackend: {url: 'file://~/stacks?no_tmp_dir=true'}\n")
    assert backend_folder(env, project) == Path.home() / "stacks"
    assert backend_folder({**env, "PULUMI_BACKEND_URL": "file://./here"}, project) == project / "here"
    assert backend_folder({**env, "PULUMI_BACKEND_URL": "https://api.pulumi.com"}, project) is None
