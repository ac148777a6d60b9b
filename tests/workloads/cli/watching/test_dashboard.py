"""Ray's dashboard through the command, against a real Ray with the token on: by HTTP, and in a browser."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).resolve().parents[4]
LIMIT_S = 240
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Head(Protocol):
    token: str

    def outputs(self) -> str: ...


@pytest.fixture
def dashboard(head: Head, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    (tmp_path / "outputs.json").write_text(head.outputs())
    process = subprocess.Popen(
        [sys.executable, "-m", "workloads.cli", "dashboard", "--no-browser", "--outputs", "outputs.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background lets its children ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 — one system call
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def link_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    link = process.stdout.readline().strip()
    assert link.startswith("http://127.0.0.1:"), process.stderr and process.stderr.read()
    return link


@pytest.mark.ray
def test_the_link_leads_to_rays_pages_without_the_token_and_ctrl_c_ends_it(
    dashboard: "subprocess.Popen[str]", head: Head
) -> None:
    link = link_of(dashboard)
    _, _, host, path = link.split("/", 3)

    def get(path: str, cookie: str = "") -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(host, timeout=LIMIT_S)
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text, str(response.getheader("Set-Cookie"))

    assert get("/api/version")[0] == 403
    status, _, cookie = get(f"/{path}")
    assert status == 200
    assert head.token not in link + cookie
    assert '"ray_version"' in get("/api/version", cookie.split(";")[0])[1]
    assert "<title>Ray Dashboard</title>" in get("/", cookie.split(";")[0])[1]
    dashboard.send_signal(signal.SIGINT)
    _, stderr = dashboard.communicate(timeout=LIMIT_S)
    assert dashboard.returncode == 130
    assert "Ctrl-C ends it" in stderr


@pytest.mark.ray
@pytest.mark.skipif(CHROMIUM is None, reason="a headless browser is needed: Debian's package chromium")
def test_a_browser_shows_the_cluster_and_asks_for_no_token(
    dashboard: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    assert CHROMIUM is not None
    arguments = [
        *(
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={tmp_path / 'user'}",
        ),
        *("--virtual-time-budget=60000", "--dump-dom", link_of(dashboard)),
    ]
    done = subprocess.run(
        [CHROMIUM, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
    )
    assert "Authentication Token Required" not in done.stdout
    assert "Cluster status and autoscaler" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
