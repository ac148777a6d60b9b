"""The calls of the Kubernetes API that the test engine makes, as a server gets them."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.engine.kubernetes.api import Api, ApiError, UnreachableError

CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "c", "namespace": "n"},
    "data": {"key": "a"},
}
PATH = "/api/v1/namespaces/n/configmaps/c"


class Server(ThreadingHTTPServer):
    """Notes each call, and answers it with what the test has put into `answer`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, object] = (200, CONFIG)
        self.calls: list[tuple[str, str, dict[str, list[str]], str | None, Any]] = []

    @property
    def kubeconfig(self) -> str:
        return f"""\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{self.server_port}"}}}}]
contexts: [{{name: c, context: {{cluster: c, user: c}}}}]
current-context: c
users: [{{name: c, user: {{token: sesame}}}}]
"""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/version/":
            self._say(200, {"gitVersion": "v1.36.3+k3s1"})
            return
        assert self.headers["Authorization"] == "Bearer sesame"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = (self.command, url.path, parse_qs(url.query), self.headers["Content-Type"], body)
        self.server.calls.append((*call[:4], json.loads(body) if body else None))
        self._say(*self.server.answer)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 — names of the base class

    def _say(self, status: int, answer: object) -> None:
        text = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield server
        server.shutdown()


def test_an_object_is_created_in_its_place_by_a_field_manager(server: Server) -> None:
    assert Api(server.kubeconfig).create(CONFIG, "me", dry_run=True) == CONFIG
    query = {"fieldManager": ["me"], "dryRun": ["All"]}
    collection = PATH.rpartition("/")[0]
    assert server.calls == [("POST", collection, query, "application/json", CONFIG)]


def test_an_object_is_applied_by_the_server(server: Server) -> None:
    assert Api(server.kubeconfig).apply(CONFIG, "me") == CONFIG
    query = {"fieldManager": ["me"], "force": ["false"]}
    assert server.calls == [("PATCH", PATH, query, "application/apply-patch+yaml", CONFIG)]


def test_managers_of_fields_are_replaced_only_in_the_version_that_was_read(server: Server) -> None:
    Api(server.kubeconfig).replace_managers(PATH, "7", [{"manager": "me"}])
    ((method, path, _, content_type, patch),) = server.calls
    assert (method, path, content_type) == ("PATCH", PATH, "application/json-patch+json")
    assert {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"} in patch


def test_an_object_goes_after_what_it_owns(server: Server) -> None:
    assert Api(server.kubeconfig).delete(PATH)
    assert server.calls == [
        ("DELETE", PATH, {}, "application/json", {"propagationPolicy": "Foreground"}),
    ]


def test_objects_are_found_by_their_labels(server: Server) -> None:
    server.answer = 200, {"items": [CONFIG]}
    assert Api(server.kubeconfig).list("/apis/apps/v1/namespaces/n/replicasets", {"a": "b", "c": "d"}) == [
        CONFIG
    ]
    ((_, path, query, *_),) = server.calls
    assert (path, query) == ("/apis/apps/v1/namespaces/n/replicasets", {"labelSelector": ["a=b,c=d"]})


def test_an_object_that_is_not_there_is_none_and_needs_no_deletion(server: Server) -> None:
    server.answer = 404, {"message": "not found"}
    assert Api(server.kubeconfig).get(PATH) is None
    assert not Api(server.kubeconfig).delete(PATH)


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (409, {"message": 'namespaces "n" already exists'}, 'namespaces "n" already exists'),
        (422, {"message": 'Service "s" is invalid:\n spec'}, 'Service "s" is invalid: spec'),
        (403, {"message": "forbidden"}, "forbidden"),
        (500, {"message": "etcd has no leader"}, "etcd has no leader"),
        (503, "no healthy upstream", "no healthy upstream"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(
    server: Server, status: int, answer: object, said: str
) -> None:
    server.answer = status, answer
    with pytest.raises(ApiError) as refused:
        Api(server.kubeconfig).create(CONFIG, "me")
    assert (str(refused.value), refused.value.status) == (said, status)


def test_a_server_that_is_away_is_named(server: Server) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(UnreachableError, match=f"http://127.0.0.1:{server.server_port}/"):
        Api(server.kubeconfig).get(PATH)


def test_an_answer_of_something_else_than_kubernetes_counts_as_none(server: Server) -> None:
    server.answer = 200, "<html>"
    with pytest.raises(UnreachableError):
        Api(server.kubeconfig).get(PATH)
