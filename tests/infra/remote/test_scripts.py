"""The scripts as text: both shells' checks, and what they have in common."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.hosts.check_list import PREPARE
from infra.k3s.component import INSTALL_FILES
from infra.remote.stdin import render_stdin

FOLDER = Path(__file__).resolve().parents[3] / "infra"
SCRIPTS = sorted(FOLDER.rglob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_bash_can_parse_it(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    result = subprocess.run(
        [str(shellcheck), *map(str, SCRIPTS)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "scripts",
    [
        list(PREPARE),
        ["hosts/verify.sh"],
        list(INSTALL_FILES),
        ["k3s/node.sh"],
        ["k3s/credentials.sh"],
    ],
    ids=lambda scripts: scripts[-1],
)
def test_a_script_cut_off_anywhere_runs_nothing(scripts: list[str]) -> None:
    stdin = render_stdin(scripts, {"HOST": "pi2", "ROOT": "/nowhere"})
    assert stdin.endswith('\nmain "$@" </dev/null\n')
    for part in (0.3, 0.6, 0.9):
        cut = stdin[: int(len(stdin) * part)]
        result = subprocess.run(
            ["bash", "-s", "--", "apply"], input=cut.encode(), capture_output=True, check=False
        )
        assert result.stdout == b""
        assert b"piray:" not in result.stderr
