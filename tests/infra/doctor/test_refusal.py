"""What ssh says when it does not get to a host, and what the doctor makes of it."""

import pytest

from infra.config.model import ProxyConfig, SshConfig
from infra.config.values.ssh_keys import Secret
from infra.doctor.finding import Finding
from infra.doctor.refusal import refusal
from tests.infra.doctor.made import HOST_KEY, host

SSH = SshConfig(user="ada", port=22)
# As OpenSSH 9.2 says it.
CASES = {
    "ssh: connect to host 198.51.100.2 port 22: No route to host": (
        "reachable",
        "no connection (No route to host)",
    ),
    "ssh: connect to host 198.51.100.2 port 22: Connection timed out": ("reachable", "Connection timed out"),
    "ssh: connect to host 198.51.100.2 port 22: Connection refused": (
        "ssh-port",
        "systemctl enable --now ssh",
    ),
    "ssh: connect to host 198.51.100.255 port 22: Permission denied": ("address", "broadcast"),
    "Host key verification failed.": ("host-key", "ssh-keyscan -t ed25519 198.51.100.2"),
    "Unable to negotiate with 198.51.100.2 port 22: no matching host key type found. Their offer: ssh-rsa": (
        "host-key",
        "not the one in the stack file",
    ),
    "ada@198.51.100.2: Permission denied (publickey,password).": (
        "login",
        "ssh-copy-id -i KEY.pub -p 22 ada@198.51.100.2",
    ),
    "Received disconnect from 198.51.100.2 port 22:2: Too many authentication failures": (
        "login",
        "piray:ssh.privateKeyFile",
    ),
    "kex_exchange_identification: Connection closed by remote host": ("ssh-port", "fail2ban"),
    "bash: not found": ("bash", "apt-get install --yes bash"),
    "something new": ("reachable", "ssh ended with: something new"),
    "": ("reachable", "no reason was given"),
}


@pytest.mark.parametrize("said", CASES)
def test_each_refusal_has_its_reason_and_its_remedy(said: str) -> None:
    finding = refusal(host(2), SSH, said)
    id_, words = CASES[said]
    assert finding.id == id_
    assert finding.severity == "error"
    assert words in f"{finding.what}; {finding.rule}; {finding.remedy}"
    assert finding.remedy


def test_a_login_says_with_which_key_it_was_tried() -> None:
    said = "ada@198.51.100.2: Permission denied (publickey)."
    assert "any key of your SSH agent" in refusal(host(2), SSH, said).what
    with_key = SSH.model_copy(update={"private_key": Secret("key")})
    assert "the key of the stack" in refusal(host(2), with_key, said).what


def test_a_jump_host_is_blamed_for_its_own_refusals_alone() -> None:
    proxy = ProxyConfig(address="gate.example.org", host_key=HOST_KEY, user="eve")
    ssh = SSH.model_copy(update={"proxy": proxy})
    closed = "Connection closed by UNKNOWN port 65535"

    def of_gate(noted: str) -> Finding:
        return refusal(host(2), ssh, closed, noted)

    login = of_gate("eve@gate.example.org: Permission denied (publickey).")
    assert "the jump host gate.example.org: user eve may not log in" in login.what
    # As OpenSSH 9.2 notes it with HostKeyAlias, BatchMode and a pinned key.
    key = of_gate("No ED25519 host key is known for jump-host and you have requested strict checking.")
    assert "the jump host gate.example.org: its host key" in key.what
    assert "piray:ssh.proxy.hostKey" in key.remedy
    port = of_gate("ssh: connect to host gate.example.org port 22: Connection refused")
    assert "piray:ssh.proxy.port" in port.remedy
    behind = of_gate("channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed")
    assert behind.what == "nothing answers on its SSH port"
    said = "ada@198.51.100.2: Permission denied (publickey)."
    assert refusal(host(2), ssh, said).what.startswith("user ada may not log in")


def test_the_remedy_for_a_host_key_asks_the_port_of_the_host() -> None:
    finding = refusal(host(2), SSH.model_copy(update={"port": 2299}), "Host key verification failed.")
    assert "ssh-keyscan -p 2299 -t ed25519 198.51.100.2" in finding.remedy
