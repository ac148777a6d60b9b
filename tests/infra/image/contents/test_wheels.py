from pathlib import Path

import pytest

from infra.image.contents import wheels
from infra.image.problems import ImageError
from infra.image.target import TARGETS
from tests.infra.image.ingredients import sha256, wheel

ROOT = Path(__file__).resolve().parents[4]
LOCK = """\
one==1.0 \\
    --hash=sha256:11 \\
    --hash=sha256:12
for-windows==1.0 ; sys_platform == 'win32' \\
    --hash=sha256:21
For_Linux[extra]==1.0 ; sys_platform == 'linux' \\
    --hash=sha256:31
not-pypy==1.0 ; implementation_name != 'PyPy' and platform_python_implementation != 'PyPy' \\
    --hash=sha256:41
"""


def test_the_lines_for_linux_are_taken_with_their_hashes_whatever_system_builds() -> None:
    assert wheels.locked(LOCK) == {
        "one": "one==1.0 \\\n    --hash=sha256:11 \\\n    --hash=sha256:12\n",
        "for-linux": "For_Linux[extra]==1.0 \\\n    --hash=sha256:31\n",
        "not-pypy": "not-pypy==1.0 \\\n    --hash=sha256:41\n",
    }


def test_no_line_of_the_real_lock_is_lost_but_those_for_windows() -> None:
    text = (ROOT / "images/ray/requirements.lock").read_text()
    lines = [line for line in text.splitlines() if "==" in line and "win32'" not in line.split("!=")[0]]
    assert len(wheels.locked(text)) == len(lines) - sum("colorama" in line for line in lines) > 60


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder that pip takes wheels from."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def line(file: Path) -> str:
    return f"{file.name.split('-')[0]}==1.0 --hash=sha256:{sha256(file.read_bytes())}\n"


def test_programs_begin_with_the_images_python(tmp_path: Path, index: Path) -> None:
    file = wheel(index, "one", {"one.py": "def main(): ..."}, {"first": "one:main"})
    tree = tmp_path / "tree"
    tree.mkdir()
    wheels.install([line(file)], TARGETS["arm64"], tree)
    program = (tree / "usr/local/bin/first").read_text()
    assert program.startswith("#!/usr/bin/python3.11\n")
    assert "import main" in program
    packages = tree / wheels.PACKAGES
    assert sorted(path.name for path in packages.iterdir()) == ["one-1.0.dist-info", "one.py"]
    # No sum that depends on where this machine has its Python.
    assert "bin/first,,\n" in (packages / "one-1.0.dist-info/RECORD").read_text()


def test_a_shebang_that_is_too_long_for_a_kernel_is_replaced_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    (folder / "bin").mkdir(parents=True)
    long = f"#!/bin/sh\n'''exec' \"/{'x' * 200}/python\" \"$0\" \"$@\"\n' '''\nimport one\n"
    (folder / "bin/first").write_text(long)
    (folder / "bin/binary").write_bytes(b"\x7fELF\xff")
    wheels._move_programs(folder, tmp_path / "local/bin")
    assert (tmp_path / "local/bin/first").read_text() == "#!/usr/bin/python3.11\nimport one\n"
    assert (tmp_path / "local/bin/binary").read_bytes() == b"\x7fELF\xff"


def test_a_wheel_with_another_sum_is_refused(tmp_path: Path, index: Path) -> None:
    file = wheel(index, "one", {"one.py": ""})
    tree = tmp_path / "tree"
    tree.mkdir()
    with pytest.raises(ImageError, match="pip cannot install the wheels for arm64: .*HASHES"):
        wheels.install([line(file).replace("sha256:", "sha256:0")[:-2] + "\n"], TARGETS["arm64"], tree)
