"""How Kubernetes is reached: no proxy carries it, and what goes wrong is one line."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.refusing_proxy import RefusingProxy, refusing_proxy
from tests.workloads.runner.fake_kubernetes import kubeconfig, kubernetes
from workloads.runner.kubeconfig import KubernetesError
from workloads.runner.port_forward import forward


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[RefusingProxy]:
    """A proxy that this process is told to use for everything."""
    with refusing_proxy() as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        yield started


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Run a server that is no Kubernetes: it gives the same answer to whatever it is asked."""

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)


def refusal(text: str) -> str:
    with pytest.raises(KubernetesError) as caught, forward(text, "ray", "ray-head", 8265):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_credentials_that_are_refused_are_one_line(objects: Path) -> None:
    with kubernetes(objects, 9) as server:
        assert "refuses the stack's credentials" in refusal(kubeconfig(server, token="other"))


def test_a_server_that_is_away_is_one_line() -> None:
    said = refusal(kubeconfig("http://127.0.0.1:9"))
    assert "Kubernetes at http://127.0.0.1:9 cannot be reached" in said


def test_no_proxy_of_the_environment_carries_what_goes_to_the_api_server(
    objects: Path, proxy: RefusingProxy
) -> None:
    with kubernetes(objects, 9) as server, forward(kubeconfig(server), "ray", "ray-head", 8265) as port:
        assert port
    assert proxy.asked == []


def test_nor_does_one_after_the_server_refused_the_credentials(objects: Path, proxy: RefusingProxy) -> None:
    with kubernetes(objects, 9) as server:
        assert "refuses the stack's credentials" in refusal(kubeconfig(server, token="other"))
    assert proxy.asked == []


def test_a_proxy_that_the_kubeconfig_names_itself_is_used(proxy: RefusingProxy) -> None:
    config = yaml.safe_load(kubeconfig("https://198.51.100.1:6443"))
    config["clusters"][0]["cluster"]["proxy-url"] = f"http://127.0.0.1:{proxy.port}"
    refusal(yaml.safe_dump(config))
    assert "CONNECT 198.51.100.1:6443 HTTP/1.1" in proxy.asked


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ({"exec": {"apiVersion": "v1", "command": "/nowhere/login"}}, "/nowhere/login"),
        ({"exec": {"apiVersion": "v1", "command": "false"}}, "non-zero code 1"),
        ({"exec": {"apiVersion": "v1", "command": "true"}}, "JSONDecodeError"),
        ({"exec": {}}, "KeyError"),
        (
            # A key that was cut off.
            {
                "client-key-data": "LS0tLS1CRUdJTiBLRVktLS0tLQ==",
                "client-certificate-data": "LS0tLS1CRUdJTiBLRVktLS0tLQ==",
            },
            "PEM",
        ),
    ],
)
def test_credentials_that_cannot_be_had_blame_the_kubeconfig(user: dict[str, object], reason: str) -> None:
    config = yaml.safe_load(kubeconfig("https://198.51.100.1:6443"))
    config["users"][0]["user"] = user
    said = refusal(yaml.safe_dump(config))
    assert "kubeconfig" in said
    assert "make up" in said
    assert user == {"exec": {}} or reason in said


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
def test_a_server_that_is_no_kubernetes_is_one_line(answer: bytes) -> None:
    with answering(answer) as server:
        assert f"Kubernetes at {server}" in refusal(kubeconfig(server))
