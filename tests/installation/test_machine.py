"""What a machine that cannot run piray is told, before anything is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from installation.machine import Machine, here, refusal

ROOT = Path(__file__).resolve().parents[2]
GOOD = Machine(
    executable="/usr/bin/python3",
    system="linux",
    machine="x86_64",
    is_64_bit=True,
    python=(3, 11),
    implementation="cpython",
    free_threaded=False,
    glibc=(2, 36),
    family="debian",
    has_venv=True,
    others=[],
)


@pytest.mark.parametrize(
    "machine",
    [
        GOOD,
        GOOD._replace(machine="aarch64", python=(3, 13)),
        GOOD._replace(system="darwin", machine="arm64", glibc=None, family="darwin"),
    ],
)
def test_a_machine_that_ray_has_packages_for_is_not_refused(machine: Machine) -> None:
    assert refusal(machine) is None


def test_the_machine_of_the_tests_is_not_refused() -> None:
    assert refusal(here()) is None


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (GOOD._replace(has_venv=False), ["/usr/bin/python3", "sudo apt install python3.11-venv"]),
        (GOOD._replace(has_venv=False, python=(3, 13)), ["sudo apt install python3.13-venv"]),
        (GOOD._replace(has_venv=False, family="fedora"), ["sudo dnf install python3.11"]),
        (GOOD._replace(has_venv=False, family=""), ["ensurepip", "Python 3.11"]),
        (GOOD._replace(python=(3, 9)), ["is Python 3.9", "sudo apt install python3.11 python3.11-venv"]),
        (GOOD._replace(python=(3, 14), others=["python3.13"]), ["is Python 3.14", "PYTHON=python3.13"]),
        (GOOD._replace(python=(3, 9), family="darwin", system="darwin", machine="arm64"), ["brew install"]),
        (GOOD._replace(implementation="pypy"), ["pypy", "PYTHON=python3.11"]),
        (GOOD._replace(python=(3, 13), free_threaded=True), ["free-threaded"]),
        (GOOD._replace(is_64_bit=False, machine="armv7l"), ["32-bit", "64-bit system"]),
        (GOOD._replace(is_64_bit=False), ["32-bit", "64-bit system"]),
        (GOOD._replace(machine="riscv64"), ["riscv64", "x86_64 on linux"]),
        (GOOD._replace(system="darwin", glibc=None), ["x86_64 on darwin", "arm64 on darwin"]),
        (GOOD._replace(glibc=None), ["glibc 2.27", "Alpine"]),
        (GOOD._replace(glibc=(2, 17)), ["glibc 2.27", "2.17"]),
        (GOOD._replace(system="win32", machine="AMD64", glibc=None), ["WSL2"]),
        (GOOD._replace(system="cygwin", glibc=None), ["WSL2"]),
        (GOOD._replace(system="msys", glibc=None), ["WSL2"]),
    ],
)
def test_what_is_missing_is_said_in_one_line_with_its_remedy(machine: Machine, words: list[str]) -> None:
    said = refusal(machine)
    assert said is not None
    assert "\n" not in said
    assert [word for word in words if word not in said] == []


def test_make_on_windows_names_wsl2_and_starts_nothing() -> None:
    made = subprocess.run(
        ["make", "run", "OS=Windows_NT", "PYTHON=false"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert made.returncode != 0
    assert "WSL2" in made.stderr
    assert len(made.stderr.splitlines()) == 1


def test_make_without_a_python_says_what_to_install() -> None:
    made = subprocess.run(
        ["make", "run", "PYTHON=python3-is-not-here"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert made.returncode != 0
    assert "there is no python3-is-not-here: install Python" in made.stderr


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="ast accepts the grammar of old Pythons until 3.13")
@pytest.mark.parametrize("file", sorted((ROOT / "installation").glob("*.py")), ids=lambda file: file.name)
def test_an_old_python_can_read_the_program_as_far_as_its_message(file: Path) -> None:
    import ast  # noqa: PLC0415

    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 6))
