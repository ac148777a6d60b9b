"""A user behind a proxy: what goes to the user's own cluster, or stays on this machine, passes no proxy."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.refusing_proxy import refusing_proxy
from tests.workloads.runner.fake_kubernetes import behind_kubernetes

ROOT = Path(__file__).resolve().parents[3]


class Head(Protocol):
    url: str

    def outputs(self, **changes: Any) -> str: ...


def connectivity_behind_a_proxy(folder: Path, *arguments: str, stdin: str = "") -> list[str]:
    """Run the smallest workload to its end; return what the proxy was asked meanwhile."""
    with refusing_proxy() as proxy:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "workloads.cli",
                "run",
                "connectivity",
                "--rounds=1",
                "--tasks=4",
                *arguments,
            ],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=folder,
            env={**kept, **proxy.environment, "PYTHONPATH": str(ROOT)},
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, (done.stderr, proxy.asked)
    return proxy.asked


@pytest.mark.ray
def test_embedded_ray_asks_no_proxy(tmp_path: Path) -> None:
    assert connectivity_behind_a_proxy(tmp_path) == []


@pytest.mark.ray
def test_a_dashboard_on_this_machine_is_asked_without_a_proxy(head: Head, tmp_path: Path) -> None:
    assert connectivity_behind_a_proxy(tmp_path, "--outputs=-", stdin=head.outputs()) == []


@pytest.mark.ray
def test_neither_the_api_server_of_a_stack_nor_the_port_forward_is_asked_through_a_proxy(
    head: Head, tmp_path: Path
) -> None:
    with behind_kubernetes(head, tmp_path) as outputs:
        assert connectivity_behind_a_proxy(tmp_path, "--outputs=-", stdin=outputs) == []
