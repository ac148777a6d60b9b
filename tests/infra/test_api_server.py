"""Kubernetes' API over real TLS, as a kubeconfig describes it; the server is one of this process."""

import base64
import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.api_server import ApiError, ApiServer, object_path


def certificate() -> tuple[bytes, bytes]:
    """Return a certificate of 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM), pem


class Handler(BaseHTTPRequestHandler):
    """Answers as the API server does."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        status, text = 200, json.dumps({"asked": [self.command, self.path, body]})
        if "missing" in self.path:
            status, text = 404, json.dumps({"message": "not found"})
        elif "refused" in self.path:
            status, text = 403, json.dumps({"message": "forbidden: User may not"})
        elif self.path.endswith("/log"):
            text = "one line\nanother"
        elif self.path.startswith("/items"):
            text = json.dumps({"items": [{"path": self.path}]})
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        # Each connection serves one call, as a server does that restarts.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PATCH = do_DELETE = _answer  # noqa: N815 — names of the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name is the base class's
        """Say nothing."""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[str]:
    made, key = certificate()
    (tmp_path / "pair.pem").write_bytes(made + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    encoded = {name: base64.b64encode(value).decode() for name, value in (("made", made), ("key", key))}
    address = f"https://127.0.0.1:{server.server_port}"
    cluster = {"server": address, "certificate-authority-data": encoded["made"]}
    user = {"client-certificate-data": encoded["made"], "client-key-data": encoded["key"]}
    yield yaml.safe_dump({"clusters": [{"cluster": cluster}], "users": [{"user": user}]})
    server.shutdown()
    server.server_close()


def test_calls_go_out_and_answers_come_back(kubeconfig: str) -> None:
    server = ApiServer(kubeconfig, 10.0)
    assert server.get("/a") == {"asked": ["GET", "/a", ""]}
    assert server.call("PATCH", "/b", "kind: X", "application/yaml") == {"asked": ["PATCH", "/b", "kind: X"]}
    assert server.text("/pods/head/log") == "one line\nanother"
    (item,) = server.items("/items", labelSelector="a=b,!c")
    assert item["path"] == "/items?labelSelector=a%3Db%2C%21c"
    assert server.delete("/a")
    assert server.change("/a", {"spec": {"replicas": 0}})


def test_what_is_not_there_is_none_and_no_error(kubeconfig: str) -> None:
    server = ApiServer(kubeconfig, 10.0)
    assert server.get("/missing") is None
    assert server.items("/missing") == []
    assert not server.delete("/missing")
    assert not server.change("/missing", {})


def test_a_refusal_is_told_in_the_words_of_the_server(kubeconfig: str) -> None:
    server = ApiServer(kubeconfig, 10.0)
    for call in (server.get, server.delete, server.items):
        with pytest.raises(ApiError, match="forbidden: User may not") as error:
            call("/refused")
        assert error.value.status == 403
    with pytest.raises(ApiError):
        server.text("/refused")


def test_a_server_that_is_away_is_an_error_without_a_status(kubeconfig: str) -> None:
    config = yaml.safe_load(kubeconfig)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    with pytest.raises(ApiError, match="https://127.0.0.1:1 does not answer") as error:
        ApiServer(yaml.safe_dump(config), 1.0).get("/a")
    assert error.value.status == 0


def test_the_path_of_an_object_follows_from_its_kind() -> None:
    metadata = {"name": "ray", "namespace": "maths"}
    for version, kind, path in (
        ("v1", "Pod", "/api/v1/namespaces/maths/pods/ray"),
        ("v1", "Namespace", "/api/v1/namespaces/ray"),
        ("ray.io/v1", "RayCluster", "/apis/ray.io/v1/namespaces/maths/rayclusters/ray"),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "/apis/networking.k8s.io/v1/namespaces/maths/networkpolicies/ray",
        ),
    ):
        assert object_path({"apiVersion": version, "kind": kind, "metadata": metadata}) == path
