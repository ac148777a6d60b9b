"""What is known of a host key, compared with OpenSSH's own programs and with a real server."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.init.dialogue.values import InitError
from infra.init.network.host_keys import fingerprint, generate, public_half, scan
from tests.sandbox.engine.scenario import missing_for_ssh, ssh_server

needs_ssh = pytest.mark.skipif(bool(missing_for_ssh()), reason=missing_for_ssh())


def keygen(*arguments: str) -> str:
    return subprocess.run(["ssh-keygen", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("kind", [("ed25519",), ("ecdsa", "-b", "256"), ("ecdsa", "-b", "521")], ids=str)
def test_a_fingerprint_is_what_ssh_keygen_prints(tmp_path: Path, kind: tuple[str, ...]) -> None:
    keygen("-q", "-t", *kind, "-N", "", "-f", str(tmp_path / "key"))
    public = (tmp_path / "key.pub").read_text()
    assert fingerprint(public) == keygen("-lf", str(tmp_path / "key.pub")).split()[1]


@needs_ssh
def test_a_server_on_a_port_of_its_own_is_scanned_and_who_is_silent_is_missing(tmp_path: Path) -> None:
    with ssh_server(tmp_path / "ssh") as server:
        assert scan(["127.0.0.1", "127.0.0.99"], server.port) == {"127.0.0.1": server.host_key}


def test_a_machine_without_ssh_keyscan_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InitError, match=r"ssh-keyscan is missing.*\n.*openssh-client"):
        scan(["127.0.0.1"], 22)


def test_a_new_host_key_is_one_that_openssh_reads(tmp_path: Path) -> None:
    pair = generate()
    file = tmp_path / "key"
    file.write_text(pair.private.reveal())
    os.chmod(file, 0o600)
    assert keygen("-y", "-f", str(file)).split()[:2] == pair.public.split()
    assert public_half(pair.private.reveal()) == pair.public
    assert generate().public != pair.public
    assert pair.private.reveal() not in repr(pair)
