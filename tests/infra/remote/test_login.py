"""The command with which the doctor logs in, as `ssh` itself understands it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.config.model import ProxyConfig, SshConfig
from infra.config.values.ssh_keys import Secret
from infra.remote.login import ssh_command
from tests.infra.doctor.made import HOST_KEY, host

KEY = Secret("not a key\n")
SSH = SshConfig(user="ada", port=2222, private_key=KEY)

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh on this machine")


def understood(command: list[str]) -> dict[str, str]:
    """Return the settings that ssh would use."""
    said = subprocess.run([command[0], "-G", *command[1:]], capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


def test_the_host_key_is_pinned_and_nothing_of_the_user_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    settings = understood(ssh_command(host(2), SSH, folder))
    assert settings["user"] == "ada"
    assert settings["port"] == "2222"
    assert settings["hostname"] == "198.51.100.2"
    assert settings["stricthostkeychecking"] in ("yes", "true")
    assert settings["hostkeyalgorithms"] == "ssh-ed25519"
    assert (folder / "known_hosts.pi2").read_text() == f"pi2 {HOST_KEY}\n"
    assert settings["identitiesonly"] == "yes"
    assert "none" in settings["identityagent"]
    assert (folder / "identity").read_text() == KEY.reveal()
    assert (folder / "identity").stat().st_mode & 0o077 == 0


def test_without_a_key_the_agent_alone_is_asked(tmp_path: Path) -> None:
    settings = understood(ssh_command(host(2), SshConfig(user="ada"), tmp_path))
    assert settings["identityfile"] == "none"
    assert not (tmp_path / "identity").exists()


def test_a_user_and_a_port_of_the_host_come_first(tmp_path: Path) -> None:
    own = host(2).model_copy(update={"user": "eve", "port": 23})
    settings = understood(ssh_command(own, SSH, tmp_path))
    assert (settings["user"], settings["port"]) == ("eve", "23")


def test_the_way_through_a_jump_host_has_its_own_pinned_key(tmp_path: Path) -> None:
    proxy = ProxyConfig(address="192.0.2.1", port=2200, host_key=HOST_KEY)
    settings = understood(ssh_command(host(2), SSH.model_copy(update={"proxy": proxy}), tmp_path))
    assert "-p 2200 ada@192.0.2.1" in settings["proxycommand"]
    assert "StrictHostKeyChecking=yes" in settings["proxycommand"]
    assert (tmp_path / "known_hosts.jump-host").read_text() == f"jump-host {HOST_KEY}\n"


def test_nothing_secret_is_in_the_command(tmp_path: Path) -> None:
    assert KEY.reveal().strip() not in " ".join(ssh_command(host(2), SSH, tmp_path))
