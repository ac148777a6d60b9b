"""The way to the head through Kubernetes: opened, used, broken, closed, and refused with one line."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.runner.fake_kubernetes import OBJECTS, POD, kubeconfig, kubernetes
from workloads.runner.kubeconfig import KubernetesError
from workloads.runner.port_forward import forward


@contextmanager
def upper_case_server() -> Iterator[int]:
    """Answer every connection with what it sends, in upper case."""

    def talk(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65_536):
                connection.sendall(data.upper())

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


def ask(port: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(text)
        answer = b""
        while len(answer) < len(text):
            piece = connection.recv(65_536)
            assert piece, f"closed after {len(answer)} of {len(text)} bytes"
            answer += piece
    return answer


def test_bytes_pass_both_ways_over_many_connections_and_the_port_is_closed_afterwards(objects: Path) -> None:
    large = os.urandom(300_000).hex().encode()
    with upper_case_server() as target, kubernetes(objects, target) as server:
        with forward(kubeconfig(server), "ray", "ray-head", 8265) as port:
            assert [ask(port, f"request {i}".encode()) for i in range(20)] == [
                f"REQUEST {i}".encode() for i in range(20)
            ]
            assert ask(port, large) == large.upper()
        with pytest.raises(ConnectionRefusedError):
            ask(port, b"x")


def test_a_head_pod_that_is_replaced_is_found_again(objects: Path) -> None:
    with (
        upper_case_server() as target,
        kubernetes(objects, target) as server,
        forward(kubeconfig(server), "ray", "ray-head", 8265) as port,
    ):
        assert ask(port, b"before") == b"BEFORE"
        replaced = {**POD, "metadata": {**POD["metadata"], "name": "ray-head-2"}}
        objects.write_text(json.dumps({**OBJECTS, "pods": [replaced]}))
        assert ask(port, b"after") == b"AFTER"


def test_a_connection_that_is_left_open_does_not_keep_the_forward_from_closing(objects: Path) -> None:
    with upper_case_server() as target, kubernetes(objects, target) as server:
        with forward(kubeconfig(server), "ray", "ray-head", 8265) as port:
            left_open = socket.create_connection(("127.0.0.1", port))
            left_open.sendall(b"x")
            assert left_open.recv(1) == b"X"
        limit = time.monotonic() + 60
        while (held := [one for one in threading.enumerate() if one.name == "piray-forward"]) and (
            time.monotonic() < limit
        ):
            time.sleep(0.05)
        left_open.close()
    assert held == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"namespaces": [], "services": []},
            "namespace ray: the cluster has no such namespace; run `make up`",
        ),
        ({"services": []}, "the cluster has no Service ray-head; run `make up`"),
        ({"pods": []}, "no pod behind Service ray-head is ready (there is none)"),
        ({"pods": [{**POD, "status": {"phase": "Pending"}}]}, "ray-head-1 is Pending"),
        (
            {"pods": [{**POD, "metadata": {**POD["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}]},
            "ray-head-1 is Running, not ready",
        ),
        (
            {
                "pods": [
                    {
                        **POD,
                        "status": {
                            "phase": "Pending",
                            "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}],
                        },
                    }
                ]
            },
            "ray-head-1 is ImagePullBackOff",
        ),
    ],
)
def test_what_is_missing_in_the_cluster_is_one_line(
    change: dict[str, Any], message: str, objects: Path
) -> None:
    objects.write_text(json.dumps({**OBJECTS, **change}))
    with (
        kubernetes(objects, 9) as server,
        pytest.raises(KubernetesError) as caught,
        forward(kubeconfig(server), "ray", "ray-head", 8265),
    ):
        pass
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
