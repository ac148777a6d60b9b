"""The password of sudo on its way from the terminal to a stand-in for the Pulumi CLI, which notes all."""

import os
from pathlib import Path

import pytest

from infra.config.stack_file import check_stack_file
from tests.infra.init.conftest import Project
from tests.infra.init.network import PI1, Network
from tests.infra.init.test_terminal import answer_unseen, ended, terminal

PASSWORD = 'pi\'s "pass" $HOME'
COMMAND = "pulumi config set --stack home --secret piray:sudoPassword"
OPTIONS = ["--host", f"pi1={PI1}", "--user", "anna", "--agent", "--workers", "1", "--trust-scanned-keys"]


@pytest.fixture
def pulumi(home: Project) -> Path:
    """A CLI on PATH that knows no stack before one is made; the file of its calls."""
    folder = home.folder / "ssh"
    program, calls = folder / "pulumi", folder / "calls"
    program.write_text(
        f"""#!/bin/sh
echo "$* [$(cat)]" >>"{calls}"
case $1 in
  stack) touch "{folder}/made" ;;
  *) [ -e "{folder}/made" ] || {{ echo "error: no stack named 'home' found" >&2; exit 6; }} ;;
esac
if [ -e "{folder}/broken" ]; then echo "error: disk is full" >&2; exit 1; fi
"""
    )
    program.chmod(0o755)
    home.env["PATH"] = f"{folder}{os.pathsep}{home.env['PATH']}"
    return calls


def test_it_is_stored_by_the_cli_and_shown_nowhere(home: Project, pis: Network, pulumi: Path) -> None:
    with terminal(home, *OPTIONS, "--sudo-password", "ask") as child:
        answer_unseen(child, "Password of sudo, to be stored encrypted", PASSWORD)
        status, said = ended(child)
    assert status == 0, said
    assert "The password of sudo is stored" in said
    assert PASSWORD not in said
    setting = "config set --stack home --secret piray:sudoPassword --non-interactive"
    assert pulumi.read_text().splitlines() == [
        f"{setting} [{PASSWORD}]",
        "stack init home --no-select --non-interactive []",
        f"{setting} [{PASSWORD}]",
    ]
    check_stack_file(home.stack())
    assert PASSWORD not in home.stack().read_text()


@pytest.mark.parametrize("broken", [False, True], ids=["left for later", "not possible"])
def test_where_it_is_not_stored_it_is_said_how_and_the_file_is_there(
    home: Project, pis: Network, pulumi: Path, broken: bool
) -> None:
    if broken:
        (pulumi.parent / "broken").touch()
    with terminal(home, *OPTIONS, "--sudo-password", "ask") as child:
        answer_unseen(child, "Password of sudo, to be stored encrypted", PASSWORD if broken else "")
        status, said = ended(child)
    assert status == 0
    assert COMMAND in said
    assert ("disk is full" in said) is broken
    check_stack_file(home.stack())


def test_without_a_terminal_nothing_is_asked_and_it_is_said_how(home: Project, pulumi: Path) -> None:
    result = home.init("home", *OPTIONS, "--sudo-password", "ask")
    assert result.returncode == 0
    assert COMMAND in result.stderr
    assert not pulumi.exists()
