"""A first `make` that fails or is killed is repaired by the second one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A project that pip builds without anything from the internet.
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "thing"
version = "1"
"""
BACKEND = """
import pathlib, time, zipfile

WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_editable(folder, config_settings=None, metadata_directory=None):
    if pathlib.Path("slow").exists():
        pathlib.Path("reached").touch()
        time.sleep(1000)
    name = "thing-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("thing.py", "")
        wheel.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: thing\\nVersion: 1\\n")
        wheel.writestr("thing-1.dist-info/WHEEL", WHEEL)
        wheel.writestr("thing-1.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "installation", tmp_path / "installation")
    for lock in ("requirements", "requirements-dev", "requirements-bench", "requirements-installer"):
        (tmp_path / f"{lock}.lock").write_text("")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    return tmp_path


def start(checkout: Path, *, python: str = sys.executable, **variables: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        [python, "-m", "installation", "run"],
        cwd=checkout,
        env={**environment, "PIP_NO_INDEX": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def install(checkout: Path, **options: str) -> tuple[int, str]:
    process = start(checkout, **options)
    said, _ = process.communicate()
    return process.returncode, said


def is_whole(checkout: Path) -> bool:
    python = checkout / ".venv/bin/python"
    return (
        not (checkout / ".venv/.unfinished").exists()
        and subprocess.run([python, "-c", "import thing"], check=False).returncode == 0
    )


def test_an_environment_is_made_once_and_then_left(checkout: Path) -> None:
    assert install(checkout)[0] == 0
    assert is_whole(checkout)
    assert install(checkout) == (0, "")


def test_a_run_that_was_killed_is_repaired_by_the_next(checkout: Path) -> None:
    (checkout / "slow").touch()
    process = start(checkout)
    deadline = time.monotonic() + 250
    while not (checkout / "reached").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (checkout / "slow").unlink()
    assert not is_whole(checkout)
    status, said = install(checkout)
    assert status == 0, said
    assert "made anew" in said
    assert is_whole(checkout)


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to("/usr/bin/python-that-was-upgraded-away")
    status, said = install(checkout)
    assert status == 0, said
    assert is_whole(checkout)


@pytest.mark.parametrize(("variable", "compiled"), [("", False), ("1", True)])
def test_where_python_writes_no_bytecode_packages_are_compiled_when_they_are_installed(
    checkout: Path, variable: str, compiled: bool
) -> None:
    (checkout / "uv.py").write_text("import sys\nprint(sys.argv)\n")
    code, said = install(checkout, PYTHONDONTWRITEBYTECODE=variable)
    assert code == 0, said
    assert ("'--compile-bytecode'" in said) == compiled


def test_packages_that_cannot_be_had_leave_a_second_run_that_works(checkout: Path) -> None:
    lock = checkout / "requirements.lock"
    lock.write_text(f"absent==1 --hash=sha256:{'0' * 64}\n")
    status, said = install(checkout)
    assert status == 1
    assert said.splitlines()[-1].startswith("piray: the packages could not be installed")
    lock.write_text("")
    assert install(checkout)[0] == 0
    assert is_whole(checkout)


def test_a_python_without_venv_leaves_nothing_behind(checkout: Path) -> None:
    (checkout / "without").mkdir()
    (checkout / "without/ensurepip.py").write_text("raise ImportError('Debian has it in python3-venv')")
    status, said = install(checkout, PYTHONPATH=str(checkout / "without"))
    assert status == 1
    assert said.startswith("piray: ")
    assert "venv and ensurepip: " in said
    assert len(said.splitlines()) == 1
    assert not (checkout / ".venv").exists()
    assert install(checkout)[0] == 0


def test_a_link_to_a_broken_environment_is_not_removed(checkout: Path) -> None:
    (checkout / "elsewhere").mkdir()
    (checkout / "elsewhere/precious").touch()
    (checkout / ".venv").symlink_to("elsewhere")
    status, said = install(checkout)
    assert status == 1
    assert "is a link" in said
    assert (checkout / "elsewhere/precious").exists()
