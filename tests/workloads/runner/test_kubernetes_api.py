"""How Kubernetes is reached: keys stay private, and what goes wrong is one line."""

import base64
import stat
import tempfile
from pathlib import Path

import pytest

from tests.workloads.runner.fake_kubernetes import kubeconfig, kubernetes
from workloads.runner.kubernetes_api import KubernetesError, private_kubeconfig
from workloads.runner.port_forward import forward


def test_credentials_that_are_refused_are_one_line(objects: Path) -> None:
    with (
        kubernetes(objects, 9) as server,
        pytest.raises(KubernetesError, match="refuses the stack's credentials"),
        forward(kubeconfig(server, token="other"), "ray", "ray-head", 8265),
    ):
        pass


def test_a_server_that_is_away_is_one_line() -> None:
    with (
        pytest.raises(KubernetesError, match="Kubernetes at http://127.0.0.1:9 cannot be reached"),
        forward(kubeconfig("http://127.0.0.1:9"), "ray", "ray-head", 8265),
    ):
        pass


@pytest.mark.parametrize("text", ["", "a: [", "[]", "{}", "clusters: []", "contexts: 3"])
def test_text_that_is_no_kubeconfig_is_one_line(text: str) -> None:
    with pytest.raises(KubernetesError, match="does not hold a kubeconfig"), private_kubeconfig(text):
        pass


def test_the_keys_of_a_kubeconfig_are_private_and_leave_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    secret = base64.b64encode(b"-----BEGIN KEY-----").decode()
    text = kubeconfig("https://198.51.100.1:6443", **{"client-key-data": secret})
    with private_kubeconfig(text) as config:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
        assert stat.S_IMODE(config.path.parent.stat().st_mode) == 0o700
        assert b"-----BEGIN KEY-----" in {path.read_bytes() for path in files}
        assert secret not in config.path.read_text()
    assert list(tmp_path.rglob("*")) == []
