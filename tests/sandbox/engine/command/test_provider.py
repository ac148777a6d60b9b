"""Commands of the test engine, on this machine and over SSH, as pulumi-command runs them."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents import agent_with
from tests.sandbox.engine.scenario import Scenario, SshServer, missing_for_ssh, ssh_server

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDjFGNFk0t/PyreGyYhEb54NkLU/ozjkKCAngai6j3/2"


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
            {"host_key": OTHER_KEY},
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


def test_a_jump_host_leads_to_the_host_behind_it(
    scenario: Scenario, server: SshServer, tmp_path: Path
) -> None:
    with ssh_server(tmp_path / "gate") as gate:
        connection = {**server.connection, "proxy": gate.connection}
        file = tmp_path / "remote"
        scenario.program(REMOTE, connection=connection, file=str(file), word="a", more="echo $SSH_CONNECTION")
        up = scenario.up()
        assert up.code == 0, up.said
        assert scenario.destroy().code == 0
    assert file.read_text().split() == ["create", "delete"]


@pytest.mark.parametrize(
    ("of", "change", "reason"),
    [
        ("proxy", {"host_key": OTHER_KEY}, "ssh: handshake failed: "),
        ("proxy", {"port": 1}, "dial tcp 127.0.0.1:1: connect: connection refused"),
        ("host", {"port": 1}, "ssh: rejected: connect failed (Connection refused)"),
    ],
)
def test_a_jump_host_that_leads_nowhere_is_blamed(
    scenario: Scenario, server: SshServer, of: str, change: dict[str, object], reason: str
) -> None:
    with tempfile.TemporaryDirectory() as folder, ssh_server(Path(folder) / "gate") as gate:
        proxy = {**gate.connection, **(change if of == "proxy" else {})}
        connection = {**server.connection, **(change if of == "host" else {}), "proxy": proxy}
        scenario.program(REMOTE, connection=connection, file=f"{folder}/f", word="a", more="")
        up = scenario.up()
    assert up.code != 0
    assert f"proxy: after 2 failed attempts: {reason}" in up.said


def test_an_agent_that_is_gone_stops_a_connection_with_a_key_of_its_own(
    scenario: Scenario, server: SshServer, tmp_path: Path
) -> None:
    scenario.env["SSH_AUTH_SOCK"] = str(tmp_path / "gone")
    scenario.program(REMOTE, connection=server.connection, file=str(tmp_path / "f"), word="a", more="")
    up = scenario.up()
    assert up.code != 0
    assert f"dial unix {tmp_path}/gone: connect: no such file or directory" in up.said


def test_a_server_hears_six_keys_of_an_agent_and_no_more(
    scenario: Scenario, server: SshServer, tmp_path: Path
) -> None:
    connection = {key: value for key, value in server.connection.items() if key != "private_key"}
    right = tmp_path / "right"
    right.touch(mode=0o600)
    right.write_text(server.private_key)
    strangers = [tmp_path / f"key{number}" for number in range(6)]
    for key in strangers:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    scenario.program(REMOTE, connection=connection, file=str(tmp_path / "f"), word="a", more="")
    with agent_with([*strangers, right]) as path:
        scenario.env["SSH_AUTH_SOCK"] = str(path)
        up = scenario.up()
    assert up.code != 0
    assert "Too many authentication failures" in up.said
    with agent_with([*strangers[1:], right]) as path:
        scenario.env["SSH_AUTH_SOCK"] = str(path)
        up = scenario.up()
    assert up.code == 0, up.said
