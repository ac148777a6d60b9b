"""How a script reaches a host: what is constant, what is secret, and what a shell makes of it."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.config.model import HostConfig, ProxyConfig, SshConfig
from infra.config.values.ssh_keys import Secret as AnySecret
from infra.k3s.component import INSTALL_FILES
from infra.remote.command import APPLY, UNDO, Script, remote_script
from infra.remote.stdin import render_stdin
from tests.infra.declared import HOST_KEY, PRIVATE_KEY, commands, declare, make_config
from tests.program import Registered, Secret, plain_texts, reveal

CONFIG = make_config()
HOST = CONFIG.servers[0]


def declared(host: HostConfig = HOST, ssh: SshConfig = CONFIG.ssh, **arguments: Any) -> Registered:
    def main() -> None:
        script = Script(files=["hosts/verify.sh"], variables={"WORD": "value"}, **arguments)
        remote_script("step", host, ssh, script)

    (command,) = commands(declare(main))
    return command


def without_main(stdin: str) -> str:
    return stdin.replace('main "$@" </dev/null\n', "")


def log_in(
    folder: Path, stdin: str, *, uid: int, sudo: str, action: str = APPLY
) -> subprocess.CompletedProcess[str]:
    """Run a Command's text as the login shell of a user would, with a sudo of our own."""
    for name, body in (("sudo", sudo), ("id", f'[ "$1" = -un ] && echo pi || echo {uid}')):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["sh", "-c", action],
        input=stdin,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "ROOT": "/elsewhere"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_connection_is_pinned_and_its_key_secret() -> None:
    inputs = declared().inputs["connection"]
    assert isinstance(inputs, Secret)
    assert reveal(inputs) == {
        "host": "198.51.100.1",
        "port": 22,
        "user": "pi",
        "privateKey": PRIVATE_KEY,
        "hostKey": HOST_KEY,
        "dialErrorLimit": 10,
        "perDialTimeout": 10,
    }


def test_a_comment_behind_the_host_key_is_dropped() -> None:
    command = declared(HOST.model_copy(update={"host_key": f"{HOST_KEY} root@pi1"}))
    assert reveal(command.inputs["connection"])["hostKey"] == HOST_KEY


def test_without_a_key_the_agent_is_asked_and_without_a_host_key_none_is_pinned() -> None:
    command = declared(HOST.model_copy(update={"host_key": None}), SshConfig(user="pi"))
    assert not {"privateKey", "hostKey", "password"} & reveal(command.inputs["connection"]).keys()


def test_a_host_may_have_a_user_and_a_port_of_its_own() -> None:
    inputs = reveal(declared(HOST.model_copy(update={"user": "ada", "port": 2222})).inputs["connection"])
    assert (inputs["user"], inputs["port"], inputs["host"]) == ("ada", 2222, "198.51.100.1")


def test_a_jump_host_is_pinned_and_gets_the_same_key() -> None:
    proxy = ProxyConfig(address="gate.example.org", port=443, host_key=f"{HOST_KEY} a comment")
    ssh = CONFIG.ssh.model_copy(update={"proxy": proxy})
    inputs = declared(ssh=ssh, across_reboot=True).inputs["connection"]
    assert isinstance(inputs, Secret)
    assert reveal(inputs)["proxy"] == {
        "host": "gate.example.org",
        "port": 443,
        "user": "pi",
        "privateKey": PRIVATE_KEY,
        "hostKey": HOST_KEY,
        "dialErrorLimit": 10,
        "perDialTimeout": 10,
    }


@pytest.mark.parametrize("of", ["host", "stack"])
def test_a_password_for_sudo_makes_stdin_secret_and_is_nowhere_else(of: str) -> None:
    password = AnySecret("it's hush")
    host = HOST.model_copy(update={"sudo_password": password}) if of == "host" else HOST
    ssh = CONFIG.ssh.model_copy(update={"sudo_password": password if of == "stack" else AnySecret("other")})
    command = declared(host, ssh)
    assert isinstance(command.inputs["stdin"], Secret)
    assert "SUDO_PASSWORD='it'\"'\"'s hush'\n" in reveal(command.inputs["stdin"])
    rest = {key: value for key, value in reveal(command.inputs).items() if key != "stdin"}
    assert not [text for text in plain_texts(rest) if "hush" in text]


def test_a_host_that_restarts_is_waited_for() -> None:
    inputs = reveal(declared(across_reboot=True).inputs["connection"])
    assert inputs["dialErrorLimit"] == 120
    assert inputs["perDialTimeout"] == 5


def test_a_command_is_a_constant_and_has_an_undo_only_when_asked() -> None:
    plain, undoing = declared(), declared(undo=True)
    assert plain.inputs["create"] == plain.inputs["update"] == "bash -s -- apply"
    assert "delete" not in plain.inputs
    assert not plain.request.deleteBeforeReplace
    assert undoing.inputs["delete"] == "bash -s -- undo"
    assert undoing.request.deleteBeforeReplace
    assert plain.inputs["addPreviousOutputInEnv"] is False
    assert plain.inputs["logging"] == "none"
    assert plain.request.customTimeouts.create == "30m"


def test_the_text_of_the_scripts_is_left_out_of_a_diff() -> None:
    assert list(declared().request.hideDiffs) == ["stdin"]


def test_a_secret_script_hides_stdin_and_what_it_prints() -> None:
    command = declared(secret=True)
    assert isinstance(command.inputs["stdin"], Secret)
    assert set(command.request.additionalSecretOutputs) >= {"stdout", "stderr"}


def test_a_secret_variable_makes_stdin_secret_by_itself() -> None:
    def main() -> None:
        variables = pulumi.Output.secret("hush").apply(lambda token: {"TOKEN": token})
        remote_script("step", HOST, CONFIG.ssh, Script(files=["hosts/verify.sh"], variables=variables))

    (command,) = commands(declare(main))
    assert "TOKEN=hush" in reveal(command.inputs["stdin"])
    assert not [text for text in plain_texts(command.inputs) if "hush" in text]


def test_a_trigger_replaces() -> None:
    assert "triggers[*]" in declared(triggers=["server"]).request.replaceOnChanges


ASKS = 'echo "sudo: a password is required" >&2; exit 1'


@pytest.mark.parametrize(
    ("system", "remedy"),
    [
        (
            "Debian",
            "sudo visudo -f /etc/sudoers.d/010_pi-nopasswd and add the line: pi ALL=(ALL) NOPASSWD: ALL",
        ),
        ("Raspberry Pi OS", "sudo raspi-config nonint do_sudo_pass 1"),
    ],
)
def test_a_user_whose_sudo_asks_is_told_both_ways_out(tmp_path: Path, system: str, remedy: str) -> None:
    if system == "Raspberry Pi OS":
        (tmp_path / "raspi-config").write_text("do_sudo_pass() { :; }\n")
        (tmp_path / "raspi-config").chmod(0o755)
    stdin = without_main(render_stdin([], {"HOST": "pi7", "TOKEN": "hush"})) + "echo ran\n"
    result = log_in(tmp_path, stdin, uid=1000, sudo=ASKS)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    for words in (
        "piray: pi7: user pi may not run sudo without a password",
        "pulumi config set --secret piray:sudoPassword --stack STACK",
        remedy,
        "then run make up again",
    ):
        assert words in line


# What a sudo says that got the password, and what its user is told.
REFUSALS = {
    "Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt": "not that of",
    "sudo: Authentication failed, try again.\nsudo: maximum 3 incorrect authentication attempts": "not that",
    "pi is not in the sudoers file.": "user pi may not run commands as root",
    "sudo: I'm sorry pi. I'm afraid I can't do that": "sudo refuses user pi: sudo: I'm sorry pi.",
    "sudo: sorry, you must have a tty to run sudo": "requiretty",
    "sudo: Account or password is expired, reset your password and try again": "has expired",
}


@pytest.mark.parametrize("said", REFUSALS)
def test_a_sudo_that_refuses_the_password_is_understood(tmp_path: Path, said: str) -> None:
    (tmp_path / "said").write_text(said)
    sudo = f'if [ "$1" = -n ]; then {ASKS}; fi; cat >>{tmp_path}/read; cat {tmp_path}/said >&2; exit 1'
    stdin = without_main(render_stdin([], {"HOST": "pi7"}, "hush")) + "echo ran\n"
    result = log_in(tmp_path, stdin, uid=1000, sudo=sudo)
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("piray: pi7: ")
    assert REFUSALS[said] in line
    assert "hush" not in line
    # No line of the script was taken for another attempt.
    assert (tmp_path / "read").read_text() == "hush\n"


def test_a_sudo_that_does_not_read_the_password_runs_the_rest_all_the_same(tmp_path: Path) -> None:
    sudo = f'if [ "$1" = -n ]; then {ASKS}; fi; shift 4; exec "$@"'
    stdin = without_main(render_stdin([], {"HOST": "pi7", "WORD": "it"}, "hush")) + 'echo "$1 $WORD"\n'
    result = log_in(tmp_path, stdin, uid=1000, sudo=sudo)
    assert (result.stdout, result.stderr) == ("apply it\n", "")


def test_a_host_without_sudo_is_told_so(tmp_path: Path) -> None:
    for name, body in (("id", '[ "$1" = -un ] && echo pi || echo 1000'),):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    for name in ("bash", "sh"):
        (tmp_path / name).symlink_to(f"/bin/{name}")
    stdin = without_main(render_stdin([], {"HOST": "pi7"})) + "echo ran\n"
    result = subprocess.run(
        ["bash", "-s"], input=stdin, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert "pi7: sudo is not installed" in result.stderr


@pytest.mark.parametrize(("action", "word"), [(APPLY, "apply"), (UNDO, "undo")])
def test_a_user_with_free_sudo_runs_the_rest_as_root(tmp_path: Path, action: str, word: str) -> None:
    rest = 'main() { echo "$1 $WORD as ${AS_ROOT:-user}"; }\nmain "$@" </dev/null\n'
    stdin = without_main(render_stdin([], {"HOST": "pi7", "WORD": "the script"})) + rest
    result = log_in(tmp_path, stdin, uid=1000, sudo='shift; AS_ROOT=root exec "$@"', action=action)
    assert result.stdout == f"{word} the script as root\n"


def test_root_needs_no_sudo(tmp_path: Path) -> None:
    stdin = without_main(render_stdin([], {"HOST": "pi7"})) + "echo ran\n"
    assert log_in(tmp_path, stdin, uid=0, sudo="exit 1").stdout == "ran\n"


def test_no_variable_of_the_environment_moves_the_root(tmp_path: Path) -> None:
    stdin = without_main(render_stdin([], {"HOST": "pi1"})) + 'printf "<%s>" "$STATE"\n'
    assert log_in(tmp_path, stdin, uid=0, sudo="exit 1").stdout == "</var/lib/piray>"


@settings(max_examples=30, deadline=None)
@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_every_text_arrives_as_it_is(value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "id").write_text("#!/bin/sh\necho 0\n")
        (Path(folder) / "id").chmod(0o755)
        stdin = without_main(render_stdin([], {"HOST": "pi1", "WORD": value})) + 'printf %s "$WORD"\n'
        shown = subprocess.run(
            ["bash", "-s"],
            input=stdin.encode(),
            env={"PATH": f"{folder}:{os.environ['PATH']}"},
            capture_output=True,
            check=True,
        )
    assert shown.stdout == value.encode()


def test_the_last_script_brings_main_and_the_library_comes_first() -> None:
    stdin = render_stdin(INSTALL_FILES, {"HOST": "pi1"})
    order = ["sudo -n bash -s", "ROOT=", "set -euo pipefail", "remove_k3s() {", "main() {", 'main "$@"']
    assert sorted(order, key=stdin.index) == order
