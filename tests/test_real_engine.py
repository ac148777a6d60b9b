"""The program on the real Pulumi engine: runs where the CLI and its providers are on PATH."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="no pulumi on PATH"),
]


class Checkout:
    """A copy of the program with a backend of its own, so that no stack of the user's is touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        for name in ["Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.local.yaml", "__main__.py"]:
            shutil.copy(ROOT / name, self.folder)
        for name in ["infra", "workloads"]:
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / ".venv").symlink_to(Path(sys.prefix))
        backend = folder / "backend"
        backend.mkdir()
        self.env = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def engine(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run("infra.engine", *arguments)

    def piray(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run("workloads.cli", *arguments)

    def _run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def local_stack(checkout: Checkout) -> Iterator[Checkout]:
    up = checkout.engine("up", "local")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield checkout
    finally:
        down = checkout.engine("down", "local")
        assert down.returncode == 0, down.stdout + down.stderr


def test_four_pis_that_do_not_exist_can_be_previewed(checkout: Checkout) -> None:
    preview = checkout.engine("preview", "dev", "--json")
    assert preview.returncode == 0, preview.stdout + preview.stderr
    changes = json.loads(preview.stdout)["changeSummary"]
    assert set(changes) == {"create"}
    assert changes["create"] > 25


def test_mistakes_in_the_config_are_listed_without_a_traceback(checkout: Checkout) -> None:
    stack = checkout.folder / "Pulumi.dev.yaml"
    stack.write_text(
        stack.read_text().replace("198.51.100.12", "198.51.100.999").replace("role: agent", "role: slave")
    )
    preview = checkout.engine("preview", "dev")
    said = preview.stdout + preview.stderr
    assert preview.returncode != 0
    assert "piray:hosts[1].address" in said
    assert "piray:hosts[3].role" in said
    assert "Traceback" not in said


def test_a_stack_on_this_machine_comes_up_computes_and_goes_away(local_stack: Checkout) -> None:
    again = local_stack.engine("preview", "local", "--expect-no-changes")
    assert again.returncode == 0, again.stdout + again.stderr

    run = local_stack.piray(
        "run", "mandelbrot", "--stack", "local", "--x-grids", "4", "--y-grids", "4", "--repeats", "1"
    )
    assert run.returncode == 0, run.stdout + run.stderr
    result = json.loads((local_stack.folder / "mandelbrot.json").read_text())
    assert [row["workers"] for row in result["rows"]] == [0, 1, 2]
