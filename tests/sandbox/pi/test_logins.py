"""The ways to a host that are not the plain one, over real SSH: each works, or it is said what is wrong.

The way is dialled as the test engine does for pulumi-command; what runs are the program's own scripts.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.remote.agent import judge
from infra.remote.answer import parse_answer
from infra.remote.stdin import render_stdin
from sandbox.engine.command.ssh import run_over_ssh
from sandbox.engine.provider import Context, ProviderError
from sandbox.pi.host import PLAIN, Hardware, Host
from tests.agents import agent_with
from tests.sandbox.making import ARCH, NOBODY, PREPARE, VERIFY, Making

# Nothing in it may be taken for something else on its way.
PASSWORD = 'pi\'s "pass" $HOME `id` \\ ü%'  # noqa: S105 — of a simulated Pi
PORT = 2222

HARDWARE = {
    "asks": Hardware(sudo_password=PASSWORD),
    "dropbear": Hardware(card=("dropbear",), sudo_password=PASSWORD),
    "plain": PLAIN,
    "behind": PLAIN,
}


@pytest.fixture(scope="module")
def hosts(making: Making) -> dict[str, Host]:
    """Return a host of each kind; the one behind is reached from the plain one alone, on another port."""
    made = {kind: making.host(hardware) for kind, hardware in HARDWARE.items()}
    with ThreadPoolExecutor() as threads:
        list(threads.map(Host.wait_until_up, made.values()))
    rules = f"Port {PORT}\nAllowUsers pi@{made['plain'].address}\n"
    made["behind"].as_root(
        f"printf %s {shlex.quote(rules)} >/etc/ssh/sshd_config.d/behind.conf && systemctl restart ssh"
    )
    return made


@dataclass(frozen=True)
class Ran:
    """How a script ended: its exit code, and what came over both outputs."""

    code: int
    stdout: str
    stderr: str


def connection(host: Host, **changes: Any) -> dict[str, Any]:
    """Return the connection to a host as the program declares it; a change to None takes a key out."""
    inputs = {
        "host": host.address,
        "user": "pi",
        "privateKey": host.key_file.read_text(),
        "hostKey": host.host_key,
        "dialErrorLimit": 1,
        **changes,
    }
    return {key: value for key, value in inputs.items() if value is not None}


def run(
    host: Host,
    password: str | None = None,
    files: tuple[str, ...] = VERIFY,
    action: str = "apply",
    *,
    way: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Ran:
    """Run scripts as a Command does."""
    values = {"HOST": host.name, "REBOOTED_FROM": "", **NOBODY, **(variables or {})}
    inputs = {"connection": way or connection(host), "stdin": render_stdin(files, values, password)}
    done, _ = run_over_ssh(f"bash -s -- {action}", inputs, Context())
    return Ran(done.returncode, done.stdout, done.stderr)


# What it says shows that verify.sh has run as root: the controllers of a host that was not prepared are off.
REACHED = "the kernel was started without cgroup_enable=memory"


@contextmanager
def file_on(host: Host, path: str, text: str) -> Iterator[None]:
    """Let a host have a file with a text before what is in it; in the end it is as it was."""
    quoted = shlex.quote(path)
    host.as_root(
        f"touch {quoted} && cp -a {quoted} /tmp/before && "
        f"{{ printf %s {shlex.quote(text)}; cat /tmp/before; }} >{quoted}"
    )
    try:
        yield
    finally:
        host.as_root(f"if [ -s /tmp/before ]; then cp -a /tmp/before {quoted}; else rm {quoted}; fi")


# By name: a line for sudo, and the password that is given, with the words of the message.
SUDO: dict[str, tuple[str, str | None, str]] = {
    "as it comes": ("", PASSWORD, REACHED),
    "asking each time": ("Defaults timestamp_timeout=0", PASSWORD, REACHED),
    "in a terminal of its own": ("Defaults use_pty", PASSWORD, REACHED),
    "without one": ("Defaults !use_pty", PASSWORD, REACHED),
    "with a lecture each time": ("Defaults lecture=always", PASSWORD, REACHED),
    "with another prompt": ('Defaults passprompt="[%u] ", passprompt_override', PASSWORD, REACHED),
    "free for bash alone": ("pi ALL=(ALL) NOPASSWD: /usr/bin/bash, /bin/bash", None, REACHED),
    "free for true alone": ("pi ALL=(ALL) NOPASSWD: /usr/bin/true, /bin/true", PASSWORD, REACHED),
    "free for all, with a password that nobody needs": ("pi ALL=(ALL) NOPASSWD: ALL", "wrong", REACHED),
    "with a wrong password": ("", "wrong", "the password that piray has for sudo is not that of user pi"),
    "without a password": ("", None, "user pi may not run sudo without a password"),
    "not for this user": ("pi ALL=(ALL) !ALL", PASSWORD, "user pi may not run commands as root with sudo"),
    "in terminals only": ("Defaults requiretty", PASSWORD, "sudo wants a terminal (requiretty)"),
    "in terminals only, without a password": ("Defaults requiretty", None, "sudo wants a terminal"),
}


@pytest.mark.parametrize("kind", SUDO)
def test_sudo(hosts: dict[str, Host], kind: str) -> None:
    line, password, words = SUDO[kind]
    with file_on(hosts["asks"], "/etc/sudoers.d/020_test", f"{line}\n"):
        ran = run(hosts["asks"], password)
    assert words in ran.stderr
    assert ran.code == 1
    assert ran.stdout == ""
    assert not [part for part in (PASSWORD, "wrong\n", "piray-begin") if part in ran.stderr]
    if words != REACHED:
        (said,) = ran.stderr.splitlines()
        assert said.startswith(f"piray: {hosts['asks'].name}: ")
        assert "then run make up again" in said


def test_a_wrong_password_is_tried_once_and_no_line_of_the_script_after_it(hosts: dict[str, Host]) -> None:
    count = "journalctl --output=cat | grep --count 'pam_unix(sudo:auth): authentication failure' || true"
    before = int(hosts["asks"].as_root(count))
    run(hosts["asks"], "wrong")
    hosts["asks"].wait_for("true")
    assert int(hosts["asks"].as_root(f"journalctl --sync; {count}")) == before + 1


@contextmanager
def node_that_waits(host: Host) -> Iterator[dict[str, str]]:
    """Let a host have a k3s that says Ready once /run/held is gone; yield the variables of node.sh."""
    program = f"[ -e /run/held ] && exit 1; printf '{host.address}\\nTrue'"
    host.as_root(
        f"printf '#!/bin/sh\\n%s\\n' {shlex.quote(program)} >/usr/local/bin/k3s; chmod 755 /usr/local/bin/k3s"
    )
    try:
        yield {"NODE": host.name, "ADDRESS": host.address, "WAIT_S": "120", "MISMATCH_S": "60"}
    finally:
        host.as_root("rm -f /usr/local/bin/k3s /run/held")


NODE = ("k3s/node.sh",)


def test_the_password_is_in_no_process_list_and_no_journal(hosts: dict[str, Host]) -> None:
    host = hosts["asks"]
    with node_that_waits(host) as variables, ThreadPoolExecutor() as threads:
        host.as_root("touch /run/held")
        ran = threads.submit(run, host, PASSWORD, NODE, variables=variables)
        host.wait_for("pgrep --full '^bash -s -- apply'")
        lists = host.as_root("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")
        host.as_root("rm /run/held")
        assert parse_answer(host.name, ran.result().stdout)["node"] == host.name
    assert "sudo" in lists
    assert PASSWORD not in lists
    assert PASSWORD not in host.as_root("journalctl --output=cat")


NOISE = {
    "lines": "echo 'Welcome to this Pi'; echo '{\"load\": 3}'\n",
    "no line end": "printf 'Welcome {1} '\n",
    "on both outputs": "echo hello; echo trouble >&2\n",
}


@pytest.mark.parametrize("place", ["/home/pi/.bashrc", "/etc/bash.bashrc"])
@pytest.mark.parametrize("kind", NOISE)
def test_the_answer_is_found_behind_what_a_login_prints(
    hosts: dict[str, Host], kind: str, place: str
) -> None:
    host = hosts["plain"]
    with file_on(host, place, NOISE[kind]), node_that_waits(host) as variables:
        ran = run(host, files=NODE, variables=variables)
    assert ran.code == 0
    assert ran.stdout.startswith(("Welcome", "hello"))
    assert parse_answer(host.name, ran.stdout) == {"node": host.name, "address": host.address}


def live(host: Host, password: str | None, way: dict[str, Any]) -> None:
    """Prepare a host, let it reboot, verify it, and take everything back."""
    before = host.files()
    ran = run(host, password, PREPARE, way=way, variables={"ARCH": ARCH})
    assert ran.code == 0, ran.stderr
    prepared = parse_answer(host.name, ran.stdout)
    assert prepared["rebooting"] is True
    waiting = {**way, "dialErrorLimit": 120, "perDialTimeout": 5}
    ran = run(host, password, way=waiting, variables={"REBOOTED_FROM": str(prepared["boot_id"])})
    assert ran.code == 0, ran.stderr
    assert parse_answer(host.name, ran.stdout)["cgroupVersion"] in (1, 2)
    assert run(host, password, PREPARE, "undo", way=way, variables={"ARCH": ARCH}).code == 0
    assert host.files() == before


def test_dropbear_in_place_of_openssh_works_across_a_reboot(hosts: dict[str, Host]) -> None:
    host = hosts["dropbear"]
    assert host.as_root("pgrep --list-name dropbear || true").split()[1:2] == ["dropbear"]
    live(host, PASSWORD, connection(host))


def test_a_host_behind_a_jump_host_works_across_a_reboot(hosts: dict[str, Host]) -> None:
    host, gate = hosts["behind"], hosts["plain"]
    with pytest.raises(ProviderError, match="unable to authenticate"):
        run(host, way=connection(host, port=PORT))
    live(host, None, connection(host, port=PORT, proxy=connection(gate)))


def test_a_jump_host_with_another_key_is_refused(hosts: dict[str, Host]) -> None:
    host, gate = hosts["behind"], hosts["plain"]
    proxy = connection(gate, hostKey=hosts["asks"].host_key)
    with pytest.raises(
        ProviderError, match="proxy: after 1 failed attempts: ssh: handshake failed.*mismatch"
    ):
        run(host, way=connection(host, port=PORT, proxy=proxy))


def test_a_host_on_its_own_port_is_not_on_the_usual_one(hosts: dict[str, Host]) -> None:
    host, gate = hosts["behind"], hosts["plain"]
    with pytest.raises(ProviderError, match=r"ssh: rejected: connect failed \(Connection refused"):
        run(host, way=connection(host, proxy=connection(gate)))


@pytest.mark.parametrize(("position", "works"), [(6, True), (7, False)])
def test_a_key_that_the_server_does_not_hear_any_more_was_named_before(
    hosts: dict[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, position: int, *, works: bool
) -> None:
    host = hosts["plain"]
    strangers = [tmp_path / f"key{number}" for number in range(position - 1)]
    for key in strangers:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with agent_with([*strangers, host.key_file]) as path:
        env = {"SSH_AUTH_SOCK": str(path)}
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        warning = judge(env, private_key=False).warning
        if works:
            assert warning is None
            assert REACHED in run(host, way=connection(host, privateKey=None)).stderr
            return
        assert warning is not None
        assert "piray-sandbox" in warning.split("never be tried: ")[1].split(";")[0]
        with pytest.raises(ProviderError, match="(?i)too many authentication failures"):
            run(host, way=connection(host, privateKey=None))


def test_a_stale_agent_stops_a_login_with_a_key_and_is_named_before(
    hosts: dict[str, Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    with pytest.raises(ProviderError, match=r"dial unix .*/gone: connect: no such file"):
        run(hosts["plain"])
    problem = judge(os.environ, private_key=True).problem
    assert problem is not None
    assert "unset SSH_AUTH_SOCK" in problem
