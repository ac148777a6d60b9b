"""What is said of the SSH agent before the first login, by real agents and by what only looks like one."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.remote.agent import MAX_AUTH_TRIES, VARIABLE, AgentError, answers, judge, read_keys
from tests.agents import agent_with


@pytest.fixture
def agent() -> Iterator[dict[str, str]]:
    """Yield the environment that leads to an OpenSSH agent without keys."""
    with agent_with([]) as path:
        yield {VARIABLE: str(path)}


def add_keys(agent: dict[str, str], folder: Path, count: int) -> None:
    for number in range(count):
        file = folder / f"key{number}"
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"ada@laptop{number}", "-f", str(file)]
        subprocess.run(make, check=True)
        subprocess.run(["ssh-add", "-q", file], env={**os.environ, **agent}, check=True)


def test_the_keys_are_told_as_ssh_add_tells_them(agent: dict[str, str], tmp_path: Path) -> None:
    add_keys(agent, tmp_path, 2)
    listed = subprocess.run(
        ["ssh-add", "-l"], env={**os.environ, **agent}, capture_output=True, text=True, check=True
    )
    assert read_keys(agent[VARIABLE]) == [" ".join(line.split()[1:3]) for line in listed.stdout.splitlines()]


def test_an_agent_with_a_key_is_enough(agent: dict[str, str], tmp_path: Path) -> None:
    add_keys(agent, tmp_path, 1)
    verdict = judge(agent, private_key=False)
    assert (verdict.problem, verdict.warning) == (None, None)


def test_keys_that_a_server_may_never_hear_are_named_with_the_remedy(
    agent: dict[str, str], tmp_path: Path
) -> None:
    add_keys(agent, tmp_path, MAX_AUTH_TRIES + 2)
    verdict = judge(agent, private_key=False)
    assert verdict.problem is None
    assert verdict.warning is not None
    for words in (
        "has 8 keys",
        "MaxAuthTries",
        "ada@laptop6, ",
        "ada@laptop7;",
        "ssh-add -d",
        "privateKeyFile",
    ):
        assert words in verdict.warning
    assert "ada@laptop5" not in verdict.warning
    # The stack's own key is tried first.
    assert judge(agent, private_key=True).warning is None


def test_an_agent_without_keys_is_enough_only_beside_a_private_key(agent: dict[str, str]) -> None:
    problem = judge(agent, private_key=False).problem
    assert problem is not None
    assert "has no keys" in problem
    assert "ssh-add FILE" in problem
    assert judge(agent, private_key=True).problem is None


def test_no_agent_is_enough_only_beside_a_private_key() -> None:
    problem = judge({}, private_key=False).problem
    assert problem is not None
    assert "SSH_AUTH_SOCK is not set" in problem
    assert judge({}, private_key=True).problem is None


@pytest.mark.parametrize("left", ["nothing", "a socket that nobody listens on", "a file"])
@pytest.mark.parametrize("private_key", [True, False])
def test_a_stale_socket_is_named_with_the_remedy(tmp_path: Path, left: str, *, private_key: bool) -> None:
    path = tmp_path / "stale"
    if left == "a file":
        path.touch()
    elif left != "nothing":
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(path))
    assert not answers(str(path))
    problem = judge({VARIABLE: str(path)}, private_key=private_key).problem
    assert problem is not None
    assert f"SSH_AUTH_SOCK={path}" in problem
    assert ("unset SSH_AUTH_SOCK" if private_key else "ssh-add FILE") in problem


@pytest.mark.parametrize(
    "said", [b"", b"\0\0\0\0", b"\0\0\0\x09\x0c\0\0\0\x05\0\0\0\x01", b"HTTP/1.1 400 \r\n"]
)
def test_something_that_is_no_agent_is_told_from_one(tmp_path: Path, said: bytes) -> None:
    path = tmp_path / "other"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(5)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(AgentError):
            read_keys(str(path))
        thread.join()
