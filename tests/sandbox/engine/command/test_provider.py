"""Commands of the test engine, on this machine and over SSH, as pulumi-command runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.engine.scenario import Scenario, SshServer, missing_for_ssh, ssh_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    if missing := missing_for_ssh():
        pytest.skip(missing)
    with ssh_server(tmp_path_factory.mktemp("ssh") / "server") as running:
        yield running


REMOTE = """
one = remote.Command("one", connection=settings["connection"],
    create="sh -s create", update="sh -s update", delete="sh -s delete",
    stdin="echo $1 >> " + settings["file"] + "; echo said $1 " + settings["word"] + "; " + settings["more"],
    add_previous_output_in_env=False, logging=remote.Logging.NONE)
pulumi.export("said", one.stdout)
"""


def test_what_a_command_prints_is_shown_even_if_it_is_secret(scenario: Scenario) -> None:
    scenario.program('command("one", Output.secret("sesame"))\ncommand("two", "hush", logging="stderr")')
    up = scenario.up()
    assert up.code == 0, up.said
    assert "sesame" in up.said
    assert "hush" not in up.said


def test_a_remote_command_runs_over_ssh(scenario: Scenario, server: SshServer, tmp_path: Path) -> None:
    file = tmp_path / "remote"
    scenario.program(REMOTE, connection=server.connection, file=str(file), word="a", more="")
    up = scenario.up()
    assert up.code == 0, up.said
    assert scenario.outputs() == {"said": "said create a"}
    scenario.set(word="b")
    assert scenario.up().changes == {("update", "one")}
    assert scenario.outputs() == {"said": "said update b"}
    assert scenario.destroy().code == 0
    assert file.read_text().split() == ["create", "update", "delete"]
    kept = [path for path in scenario.state.rglob("*") if path.is_file()]
    key = server.private_key.splitlines()[2]
    assert not [path for path in kept if key in path.read_text(errors="replace")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"port": 1}, "dial tcp 127.0.0.1:1: connect: connection refused"),
        (
            {"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDjFGNFk0t/PyreGyYhEb54NkLU/ozjkKCAngai6j3/2"},
            "ssh: handshake failed: ssh: host key mismatch",
        ),
        ({"user": "nobody-at-all"}, "ssh: handshake failed: ssh: unable to authenticate"),
    ],
)
def test_a_host_that_cannot_be_reached_is_told_as_the_provider_does(
    scenario: Scenario, server: SshServer, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    connection = {**server.connection, **change}
    scenario.program(REMOTE, connection=connection, file=str(tmp_path / "remote"), word="a", more="")
    up = scenario.up()
    assert up.code != 0
    assert "after 2 failed attempts: " in up.said
    assert message in up.said


def test_a_remote_command_that_fails_is_not_tried_again(
    scenario: Scenario, server: SshServer, tmp_path: Path
) -> None:
    file = tmp_path / "remote"
    more = "echo trouble >&2; exit 255"
    scenario.program(REMOTE, connection=server.connection, file=str(file), word="a", more=more)
    up = scenario.up()
    assert up.code != 0
    assert 'Process exited with status 255: running "sh -s create":' in up.said
    assert "trouble" in up.said
    assert file.read_text().split() == ["create"]


@pytest.mark.skipif(bool(missing_for_ssh()), reason=missing_for_ssh())
def test_a_connection_that_breaks_is_no_answer_of_the_command(scenario: Scenario, tmp_path: Path) -> None:
    # Above the session there may be the server itself, which is then gone for good.
    more = "kill $(ps -o ppid= -p $PPID); sleep 1; kill $PPID"
    with ssh_server(tmp_path / "ssh") as server:
        scenario.program(REMOTE, connection=server.connection, file=str(tmp_path / "f"), word="a", more=more)
        up = scenario.up()
    assert up.code != 0
    assert "remote command exited without exit status or exit signal" in up.said
