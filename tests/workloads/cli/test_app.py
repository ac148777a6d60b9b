"""The `piray` command as a user runs it: a process of its own, against a real Ray."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.drawing import picture
from workloads.mandelbrot.plan import Plan
from workloads.pi.kernel import count_inside

ROOT = Path(__file__).resolve().parents[3]
PIRAY = [sys.executable, "-m", "workloads.cli"]
SMALL = Plan(x_grids=6, y_grids=4, grid_width=50, grid_height=40)
SMALL_OPTIONS = ["--x-grids=6", "--y-grids=4", "--grid-width=50", "--grid-height=40"]
# Minutes of work on the head's two cores: whoever interrupts it interrupts it in the middle.
LONG_OPTIONS = ["--grid-width=400", "--grid-height=400", "--max-iterations=2000", "--repeats=20"]


class Head(Protocol):
    token: str
    url: str

    def outputs(self, **changes: Any) -> str: ...
    def get(self, path: str) -> Any: ...


def environment(mark: str = "") -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAY_", "X_", "Y_", "GRID_"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PIRAY_TEST_MARK": mark, "COLUMNS": "100"}


def piray(
    *arguments: str, folder: Path, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PIRAY, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment(), **variables},
        timeout=240,
        check=False,
    )


def folders_of(process: "subprocess.Popen[Any]") -> list[Path]:
    """Return where the embedded Ray of a runner keeps its sockets and logs."""
    return list(Path("/tmp").glob(f"piray-{process.pid}-*"))


def wait_for_session(process: "subprocess.Popen[Any]") -> bool:
    """Wait until Ray has begun to use the folder of its runner, or the runner has ended without that."""
    while process.poll() is None:
        if any((folder / "session_latest").exists() for folder in folders_of(process)):
            return True
        time.sleep(0.05)
    return False


def marked_processes(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            held = f"PIRAY_TEST_MARK={mark}".encode() in (entry / "environ").read_bytes()
        except OSError:
            continue
        if held:
            found.append(int(entry.name))
    return found


def gone(mark: str) -> bool:
    limit = time.monotonic() + 240
    while time.monotonic() < limit:
        if not marked_processes(mark):
            return True
        time.sleep(0.5)
    return False


def assert_one_line(done: subprocess.CompletedProcess[str], text: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("piray: ")
    assert text in lines[0]


def assert_small_picture(folder: Path) -> dict[str, Any]:
    assert (folder / "mandelbrot.png").read_bytes() == picture(SMALL)
    values: dict[str, Any] = json.loads((folder / "mandelbrot.json").read_text())
    assert values["workload"] == "mandelbrot"
    assert values["plan"] == SMALL.to_dict()
    return values


@pytest.mark.ray
def test_without_a_stack_the_picture_is_computed_by_an_embedded_ray(tmp_path: Path) -> None:
    mark = hashlib.sha256(str(tmp_path).encode()).hexdigest()
    home = tmp_path / "home"
    home.mkdir()
    grid = {"X_GRIDS": "6", "Y_GRIDS": "4", "GRID_WIDTH": "7", "GRID_HEIGHT": "40"}
    process = subprocess.Popen(
        [*PIRAY, "run", "mandelbrot", "--grid-width=50", "--output=results", "--repeats=2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**environment(mark), **grid, "HOME": str(home)},
    )
    try:
        seen = wait_for_session(process)
        output, errors = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    assert seen
    assert not folders_of(process)
    values = assert_small_picture(tmp_path / "results")
    assert [row["workers"] for row in values["rows"]] == list(range(len(values["rows"])))
    assert all(len(row["values_s"]) == 2 for row in values["rows"])
    assert "embedded Ray" in output
    assert not (home / ".ray" / "auth_token").exists()
    assert gone(mark)


@pytest.mark.ray
def test_a_cluster_draws_the_same_picture_by_the_jobs_api(head: Head, tmp_path: Path) -> None:
    done = piray(
        *("run", "mandelbrot", *SMALL_OPTIONS, "--workers=1", "--repeats=2", "--outputs=-"),
        folder=tmp_path,
        stdin=head.outputs(),
        RAY_ADDRESS="http://127.0.0.1:9",
        RAY_API_SERVER_ADDRESS="http://127.0.0.1:9",
        http_proxy="http://127.0.0.1:9",
    )
    assert done.returncode == 0, done.stderr
    values = assert_small_picture(tmp_path)
    assert [row["workers"] for row in values["rows"]] == [0, 1]
    assert head.token not in done.stdout + done.stderr
    (job,) = [job for job in head.get("/api/jobs/") if "mandelbrot" in str(job["submission_id"])]
    assert job["status"] == "SUCCEEDED"


@pytest.mark.ray
def test_a_pi_stack_is_reached_through_a_port_forward(head: Head, tmp_path: Path) -> None:
    pod = {
        "metadata": {"name": "ray-head-1", "namespace": "ray", "labels": {"app": "ray-head"}},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    service = {
        "metadata": {"name": "ray-head", "namespace": "ray"},
        "spec": {"selector": {"app": "ray-head"}},
    }
    (tmp_path / "objects.json").write_text(json.dumps({"services": [service], "pods": [pod]}))
    kubernetes = subprocess.Popen(
        [
            *(sys.executable, str(ROOT / "tests/workloads/runner/fake_kubernetes.py")),
            *(str(tmp_path / "objects.json"), head.url.rpartition(":")[2]),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert kubernetes.stdout is not None
        kubeconfig = {
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": f"http://127.0.0.1:{kubernetes.stdout.readline().strip()}"},
                }
            ],
            "users": [{"name": "u", "user": {"token": "kubernetes"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        outputs = head.outputs(
            platform="pi",
            dashboardUrl=None,
            kubeconfig=json.dumps(kubeconfig),
            namespace="ray",
            headService="ray-head",
            dashboardPort=8265,
        )
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        done = piray(
            *("run", "mandelbrot", *SMALL_OPTIONS, "--workers=0", "--repeats=1", "--outputs=-"),
            folder=tmp_path,
            stdin=outputs,
            TMPDIR=str(temporary),
        )
    finally:
        kubernetes.kill()
        kubernetes.communicate()
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert_small_picture(tmp_path)
    assert list(temporary.iterdir()) == []


@pytest.mark.ray
def test_the_articles_whole_picture_arrives_intact_through_the_log(head: Head, tmp_path: Path) -> None:
    done = piray(
        *("run", "mandelbrot", "--workers=0", "--repeats=1", "--outputs=-"),
        folder=tmp_path,
        stdin=head.outputs(),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mandelbrot.png").read_bytes() == picture(Plan())


@pytest.mark.ray
def test_more_workers_than_there_are_is_one_line(head: Head, tmp_path: Path) -> None:
    done = piray(
        *("run", "mandelbrot", *SMALL_OPTIONS, "--workers=5", "--outputs=-"),
        folder=tmp_path,
        stdin=head.outputs(),
    )
    assert_one_line(done, "--workers 5 is more than there are: choose 0 to 2")


@pytest.mark.ray
def test_a_wrong_token_is_one_line(head: Head, tmp_path: Path) -> None:
    outputs = head.outputs(rayToken="0" * 64)
    done = piray("run", "connectivity", "--outputs=-", folder=tmp_path, stdin=outputs)
    assert_one_line(done, "wrong token")


@pytest.mark.ray
def test_tasks_of_the_connectivity_workload_name_their_nodes(head: Head, tmp_path: Path) -> None:
    done = piray(
        *("run", "connectivity", "--rounds=2", "--tasks=10", "--outputs=-"),
        folder=tmp_path,
        stdin=head.outputs(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("Success!")
    values = json.loads((tmp_path / "connectivity.json").read_text())
    ((first, second, count),) = values["counts"]
    assert (first, second, count) == (values["nodes"][0]["name"], values["nodes"][0]["name"], 20)
    assert [node["name"] for node in values["after"]] == [values["nodes"][0]["name"]]
    assert [sum(count for *_, count in one["counts"]) for one in values["rounds"]] == [10, 10]


@pytest.mark.ray
def test_a_missing_node_fails_the_connectivity_workload_in_one_line(head: Head, tmp_path: Path) -> None:
    done = piray(
        *("run", "connectivity", "--rounds=1", "--tasks=5", "--outputs=-"),
        folder=tmp_path,
        stdin=head.outputs(workers=1),
    )
    assert_one_line(done, "only 1 of 2 nodes joined")
    assert not (tmp_path / "connectivity.json").exists()


@pytest.mark.ray
def test_pi_on_ray_counts_what_every_stream_counts_anywhere(head: Head, tmp_path: Path) -> None:
    done = piray(
        *("run", "pi", "--samples=200000", "--seed=7", "--outputs=-"), folder=tmp_path, stdin=head.outputs()
    )
    assert done.returncode == 0, done.stderr
    values = json.loads((tmp_path / "pi.json").read_text())
    assert [part["num_inside"] for part in values["parts"]] == [count_inside(200_000, 7, i) for i in range(3)]
    assert values["deviation"] < 5
    # Three streams take turns on the head's two cores.
    assert values["at_once"] == 2


@pytest.mark.ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_job_on_the_cluster_too(
    head: Head, tmp_path: Path, number: signal.Signals
) -> None:
    mark = hashlib.sha256(f"{tmp_path}".encode()).hexdigest()
    (tmp_path / "outputs.json").write_text(head.outputs())
    before = {job["submission_id"] for job in head.get("/api/jobs/")}
    process = subprocess.Popen(
        [*PIRAY, "run", "mandelbrot", *LONG_OPTIONS, "--outputs=outputs.json"],
        cwd=tmp_path,
        env=environment(mark),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        job = running_job(head, before)
        process.send_signal(number)
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert head.get(f"/api/jobs/{job}")["status"] == "STOPPED"
    assert gone(mark)
    assert not (tmp_path / "mandelbrot.png").exists()


def running_job(head: Head, before: set[str]) -> str:
    limit = time.monotonic() + 240
    while time.monotonic() < limit:
        for job in head.get("/api/jobs/"):
            new = job["submission_id"] and job["submission_id"] not in before
            if (
                new
                and job["status"] == "RUNNING"
                and "progress" in head.get(f"/api/jobs/{job['submission_id']}/logs")["logs"]
            ):
                return str(job["submission_id"])
        time.sleep(0.5)
    raise AssertionError("the job never got to work")


@pytest.mark.ray
@pytest.mark.parametrize("delay_s", [0.0, 2.5, 9.0])
def test_an_interrupt_leaves_no_process_of_an_embedded_ray_behind(tmp_path: Path, delay_s: float) -> None:
    mark = hashlib.sha256(f"{tmp_path}".encode()).hexdigest()
    process = subprocess.Popen(
        [*PIRAY, "run", "mandelbrot", *LONG_OPTIONS],
        cwd=tmp_path,
        env=environment(mark),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while len(marked_processes(mark)) < 2 and process.poll() is None:
            time.sleep(0.05)
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors
    assert gone(mark)
    assert not folders_of(process)


@pytest.mark.ray
@pytest.mark.parametrize("processes", [2, 6, 9])
def test_an_embedded_ray_ends_with_a_runner_that_was_killed(tmp_path: Path, processes: int) -> None:
    mark = hashlib.sha256(f"{tmp_path}".encode()).hexdigest()
    process = subprocess.Popen(
        [*PIRAY, "run", "mandelbrot", *LONG_OPTIONS],
        cwd=tmp_path,
        env=environment(mark),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # The runner starts other programs, too, before Ray's folder is there.
    while process.poll() is None and not (folders_of(process) and len(marked_processes(mark)) >= processes):
        time.sleep(0.05)
    assert folders_of(process)
    process.kill()
    process.wait()
    assert gone(mark)
    assert not folders_of(process)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["mandelbrot", "--x-grids=0"], "x_grids"),
        (["mandelbrot", "--stack=dev", "--outputs=-"], "not both"),
        (["connectivity", "--stack=../dev"], "cannot be the name of a stack"),
        (["pi", "--output=file/below"], "cannot be made"),
        (["pi", "--output=/proc"], "cannot be written to"),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_one_line(piray("run", *arguments, folder=tmp_path), text)


def test_a_cluster_that_is_down_is_one_line(tmp_path: Path) -> None:
    outputs = {
        "contractVersion": 1,
        "platform": "local",
        "rayVersion": "2.60.0",
        "rayToken": "token",
        "workers": 0,
        "dashboardUrl": "http://127.0.0.1:9",
    }
    done = piray("run", "mandelbrot", "--outputs=-", folder=tmp_path, stdin=json.dumps(outputs))
    assert_one_line(done, "the Ray cluster is down")
