"""The workflows of .github: what linters say of them, and that what they pin is what the project pins."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.preview.comment import MARK

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"


@pytest.mark.skipif(shutil.which("go") is None, reason="actionlint is built with Go")
def test_actionlint_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["go", "run", ACTIONLINT, *map(str, WORKFLOWS)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit_and_names_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (.+)", workflow.read_text())
    assert used
    assert [
        each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)
    ] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_workflow_needs_a_secret(workflow: Path) -> None:
    assert "secrets." not in workflow.read_text()


def test_the_released_pulumi_is_that_of_the_locked_sdk() -> None:
    locked = re.search(r"^pulumi==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    used = re.search(r"pulumi-version: (\S+)", (ROOT / ".github/workflows/end-to-end.yaml").read_text())
    assert locked
    assert used
    assert used[1] == locked[1]


def test_the_workflow_finds_its_comment_by_the_mark_that_the_comment_begins_with() -> None:
    assert f"MARK: {MARK}\n" in (ROOT / ".github/workflows/preview.yaml").read_text()
