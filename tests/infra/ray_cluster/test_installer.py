"""What the container `packages` does, with a real pip and a mirror on loopback."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.ray_cluster import installer
from tests.wheel import FILE, MODULE, PACKAGE, write_wheel

# --user has no meaning in a virtualenv; the image has none.
PYTHON = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")
PROGRAM = Path(installer.__file__).read_text(encoding="utf-8")


@pytest.fixture
def wheels(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folder of a mirror's wheels, and where it is served."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheel(folder, "VALUE = 3\n")
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


def command(kept: Path, key: str, *requirements: str) -> list[str]:
    return [PYTHON, "-c", PROGRAM, str(kept), key, *requirements]


def run(kept: Path, key: str, *requirements: str, url: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(kept, key, *requirements),
        env={"PIRAY_WHEELS_URL": url, "HOME": str(kept.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_packages_are_installed_once_and_are_python_s_user_site(kept: Path, wheels: tuple[Path, str]) -> None:
    folder, url = wheels
    first = run(kept, "one", PACKAGE, url=url)
    assert (first.returncode, first.stdout.splitlines()[-1]) == (0, "packages one: installed"), first.stderr
    (folder / FILE).unlink()
    second = run(kept, "one", PACKAGE, url=url)
    assert (second.returncode, second.stdout) == (0, "packages one: there already, nothing to install\n")
    found = subprocess.run(
        [PYTHON, "-c", f"import {MODULE}; print({MODULE}.VALUE)"],
        env={"PYTHONUSERBASE": str(kept / "one")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "3\n"


def test_what_a_virtualenv_has_of_its_own_wins(kept: Path, wheels: tuple[Path, str], tmp_path: Path) -> None:
    """As Ray makes one for a job that brings another version: with the system's site packages."""
    assert run(kept, "one", PACKAGE, url=wheels[1]).returncode == 0
    venv = tmp_path / "venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", "--system-site-packages", venv], check=True)
    ask = [str(venv / "bin" / "python"), "-c", f"import {MODULE}; print({MODULE}.VALUE)"]
    env = {"PYTHONUSERBASE": str(kept / "one")}
    assert subprocess.check_output(ask, env=env, text=True) == "3\n"
    (own,) = venv.glob("lib/python*/site-packages")
    (own / f"{MODULE}.py").write_text("VALUE = 4\n")
    assert subprocess.check_output(ask, env=env, text=True) == "4\n"


def test_packages_that_cannot_be_had_are_one_line_and_leave_nothing(
    kept: Path, wheels: tuple[Path, str]
) -> None:
    failed = run(kept, "one", "piray-nowhere==1.0", url=wheels[1])
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith(
        f"piray-nowhere==1.0 cannot be installed from the mirror ({wheels[1]}): No matching"
    )
    assert "before Ray starts; connect the hosts to the internet, or put the wheels into the mirror" in line
    assert [path.name for path in kept.iterdir()] == [".lock"]


def test_what_a_killed_pod_left_is_removed_and_the_last_two_are_kept(
    kept: Path, wheels: tuple[Path, str]
) -> None:
    (kept / ".partial-x" / "lib").mkdir(parents=True)
    for key in ("one", "two", "one", "three"):
        assert run(kept, key, PACKAGE, url=wheels[1]).returncode == 0
    assert {path.name for path in kept.iterdir()} == {".lock", "one", "three"}


def test_a_second_pod_waits_for_the_first(kept: Path, wheels: tuple[Path, str]) -> None:
    with (kept / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(
            command(kept, "one", PACKAGE),
            env={"PIRAY_WHEELS_URL": wheels[1], "HOME": str(kept.parent)},
            stdout=subprocess.PIPE,
            text=True,
        ) as waiting:
            assert waiting.stdout is not None
            assert waiting.stdout.readline().startswith("another pod on this Node is installing packages")
            # As the first pod leaves it.
            (kept / "one").mkdir()
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert waiting.stdout.read() == "packages one: there already, nothing to install\n"


@pytest.mark.parametrize("url", [None, "", "http://127.0.0.1:9/", "no address"])
def test_without_a_mirror_that_lists_wheels_the_index_is_asked(url: str | None) -> None:
    assert installer._source(url) == []


def test_a_mirror_of_k3s_alone_has_no_wheels(wheels: tuple[Path, str]) -> None:
    folder, url = wheels
    (folder / FILE).unlink()
    assert installer._source(url) == []
