"""node.sh and credentials.sh on a fake first server whose `k3s kubectl` answers from files."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.infra.fake_host import FakeHost, contents, make_host

KUBECTL = """#!/bin/bash
echo "$*" >>"$FAKE/calls"
shift
case " $* " in
  *" get --raw=/readyz "*) [ ! -e "$FAKE/no-api" ] ;;
  *" --output name "*) [ ! -s "$FAKE/node" ] || echo node/pi3 ;;
  *" get node "*) cat "$FAKE/node" 2>/dev/null || { echo 'nodes "pi3" not found' >&2; exit 1; } ;;
  *" drain "*) [ ! -e "$FAKE/drain-fails" ] ;;
  *" delete node "*)
    [ ! -e "$FAKE/delete-fails" ] && rm -f "$FAKE/node" && [ ! -e "$FAKE/delete-times-out" ] ;;
esac
"""
SHA = "c" * 64


@pytest.fixture
def server(tmp_path: Path) -> FakeHost:
    host = make_host(tmp_path)
    host.write("usr/local/bin/k3s", KUBECTL).chmod(0o755)
    host.program("sleep", "exec /bin/sleep 0.1")
    return host


def node(server: FakeHost, action: str) -> subprocess.CompletedProcess[bytes]:
    return server.run(
        ["k3s/node.sh"],
        action,
        NODE="pi3",
        ADDRESS="198.51.100.3",
        WAIT_S="2",
        MISMATCH_S="1",
        DRAIN_S="1",
        DELETE_S="1",
    )


def verbs(server: FakeHost) -> list[str]:
    words = ("cordon", "drain", "delete node")
    return [word for call in server.calls() for word in words if f" {word} pi3" in call]


def test_a_ready_node_at_its_address_is_accepted(server: FakeHost) -> None:
    (server.fake / "node").write_text("198.51.100.3\nTrue")
    first, second = node(server, "apply"), node(server, "apply")
    assert json.loads(first.stdout) == {"node": "pi3", "address": "198.51.100.3"}
    assert first.stdout == second.stdout


def test_a_node_of_another_host_is_refused(server: FakeHost) -> None:
    (server.fake / "node").write_text("198.51.100.77\nTrue")
    result = node(server, "apply")
    assert result.returncode == 1
    assert b"the Node pi3 is at 198.51.100.77, not at 198.51.100.3" in result.stderr


@pytest.mark.parametrize("answer", ["198.51.100.3\nFalse", "198.51.100.3\nUnknown", None])
def test_a_node_that_is_not_ready_in_time_is_refused(server: FakeHost, answer: str | None) -> None:
    if answer:
        (server.fake / "node").write_text(answer)
    result = node(server, "apply")
    assert result.returncode == 1
    assert b"is not Ready after 2 s" in result.stderr


def test_a_node_is_cordoned_drained_and_deleted_in_this_order(server: FakeHost) -> None:
    (server.fake / "node").write_text("198.51.100.3\nTrue")
    assert node(server, "undo").returncode == 0
    assert verbs(server) == ["cordon", "drain", "delete node"]
    (drain,) = [call for call in server.calls() if " drain " in call]
    assert "--ignore-daemonsets --delete-emptydir-data --force --timeout=1s" in drain
    assert node(server, "undo").returncode == 0
    assert verbs(server) == ["cordon", "drain", "delete node"]


def test_pods_that_will_not_leave_do_not_keep_the_node(server: FakeHost) -> None:
    (server.fake / "node").write_text("198.51.100.3\nTrue")
    (server.fake / "drain-fails").touch()
    assert node(server, "undo").returncode == 0
    assert verbs(server)[-1] == "delete node"


def test_a_node_that_cannot_be_deleted_is_told(server: FakeHost) -> None:
    (server.fake / "node").write_text("198.51.100.3\nTrue")
    (server.fake / "delete-fails").touch()
    result = node(server, "undo")
    assert result.returncode == 1
    assert b"sudo k3s kubectl delete node pi3" in result.stderr


def test_a_node_that_went_though_kubectl_gave_up_is_gone(server: FakeHost) -> None:
    (server.fake / "node").write_text("198.51.100.3\nTrue")
    (server.fake / "delete-times-out").touch()
    assert node(server, "undo").returncode == 0


def test_undo_succeeds_where_the_api_server_is_gone(server: FakeHost) -> None:
    (server.fake / "no-api").touch()
    assert node(server, "undo").returncode == 0
    assert verbs(server) == []


def test_undo_succeeds_where_k3s_is_gone(server: FakeHost) -> None:
    (server.root / "usr/local/bin/k3s").unlink()
    assert node(server, "undo").returncode == 0


def test_credentials_are_one_line_of_json_with_pinned_tokens(server: FakeHost) -> None:
    kubeconfig = 'apiVersion: v1\nusers:\n- name: "default"\n\ttab: \\ "quoted" ü\n'
    server.write("etc/rancher/k3s/k3s.yaml", kubeconfig)
    server.write("etc/rancher/k3s/config.yaml", 'node-name: pi1\ntoken: "abc"\nagent-token: "def"\n')
    server.write("var/lib/rancher/k3s/server/token", f"K10{SHA}::server:abc\n")
    server.write("var/lib/rancher/k3s/server/agent-token", f"K10{SHA}::node:def\n")
    before = contents(server.root, times=True)
    result = server.run(["k3s/credentials.sh"], "apply", INSTALLED="", CONFIG_SHA256="", WAIT_S="5")
    assert json.loads(result.stdout) == {
        "kubeconfig": kubeconfig.rstrip("\n"),
        "server_token": f"K10{SHA}::server:abc",
        "agent_token_full": f"K10{SHA}::node:def",
        "agent_token": "def",
    }
    assert result.stderr == b""
    assert contents(server.root, times=True) == before


@pytest.mark.parametrize("agent_token", [f"K10{SHA}::server:abc", "def", ""])
def test_a_token_that_pins_no_ca_is_refused_and_not_shown(server: FakeHost, agent_token: str) -> None:
    server.write("etc/rancher/k3s/k3s.yaml", "apiVersion: v1\n")
    server.write("etc/rancher/k3s/config.yaml", 'token: "abc"\nagent-token: "def"\n')
    server.write("var/lib/rancher/k3s/server/token", f"K10{SHA}::server:abc\n")
    server.write("var/lib/rancher/k3s/server/agent-token", agent_token)
    result = server.run(["k3s/credentials.sh"], "apply", INSTALLED="", CONFIG_SHA256="", WAIT_S="5")
    assert result.returncode == 1
    assert result.stdout == b""
    assert b"agent-token" in result.stderr
    assert b"abc" not in result.stderr
    assert SHA.encode() not in result.stderr


def make_certificate(folder: Path, days: int) -> str:
    """Return a kubeconfig with a certificate that has so many days to go."""
    folder.mkdir(exist_ok=True)
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-subj", "/CN=system:admin", "-keyout", str(folder / "key"), "-days", str(days)]
    text = subprocess.run(command, capture_output=True, check=True).stdout
    encoded = base64.b64encode(text).decode()
    return f"apiVersion: v1\nusers:\n- name: default\n  user:\n    client-certificate-data: {encoded}\n"


@pytest.mark.parametrize(("days", "restarted"), [(1, True), (364, False)])
def test_an_old_certificate_is_made_anew_by_a_restart_before_it_is_read(
    server: FakeHost, tmp_path: Path, days: int, restarted: bool
) -> None:
    server.write("etc/rancher/k3s/k3s.yaml", make_certificate(tmp_path / "old", days))
    renewed = make_certificate(tmp_path / "new", 365)
    server.write("etc/rancher/k3s/config.yaml", 'token: "abc"\nagent-token: "def"\n')
    server.write("var/lib/rancher/k3s/server/token", f"K10{SHA}::server:abc\n")
    server.write("var/lib/rancher/k3s/server/agent-token", f"K10{SHA}::node:def\n")
    (server.fake / "renewed").write_text(renewed)
    server.program(
        "systemctl", f'[ "$1" != restart ] || cp "$FAKE/renewed" {server.root}/etc/rancher/k3s/k3s.yaml'
    )
    before = server.read("etc/rancher/k3s/k3s.yaml")
    result = server.run(["k3s/credentials.sh"], "apply", INSTALLED="", CONFIG_SHA256="", WAIT_S="600")
    assert result.returncode == 0, result.stderr.decode()
    assert json.loads(result.stdout)["kubeconfig"] == (renewed if restarted else before).rstrip("\n")
    assert any("systemctl restart" in call for call in server.calls()) is restarted


def test_a_k3s_that_makes_no_newer_certificate_is_told(server: FakeHost, tmp_path: Path) -> None:
    server.write("etc/rancher/k3s/k3s.yaml", make_certificate(tmp_path / "old", 1))
    server.write("etc/rancher/k3s/config.yaml", 'token: "abc"\nagent-token: "def"\n')
    server.write("var/lib/rancher/k3s/server/token", f"K10{SHA}::server:abc\n")
    server.write("var/lib/rancher/k3s/server/agent-token", f"K10{SHA}::node:def\n")
    result = server.run(["k3s/credentials.sh"], "apply", INSTALLED="", CONFIG_SHA256="", WAIT_S="1")
    assert result.returncode == 1
    assert b"sudo k3s certificate rotate" in result.stderr
