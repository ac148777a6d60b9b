"""The definitions of KubeRay's resources: downloaded once, checked always, made on the cluster."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.api_server import ApiError
from infra.kuberay import definitions
from infra.kuberay.definitions import (
    DefinitionsError,
    apply_definitions,
    cache_folder,
    definition,
    definitions_url,
    remove_definitions,
)
from tests.infra.kuberay.cluster_double import ClusterDouble

TEXT = "kind: CustomResourceDefinition\n"
SUM = hashlib.sha256(TEXT.encode()).hexdigest()
FILE = "ray.io_rayjobs.yaml"
PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rayjobs.ray.io"


class Site:
    """A folder over HTTP, and what was asked of it."""

    def __init__(self, folder: Path) -> None:
        asked = self.asked = []  # type: list[str]

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(folder))

            def log_message(self, *args: Any) -> None:
                asked.append(self.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / FILE).write_text(TEXT)
    served = Site(folder)
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_a_definition_is_downloaded_once(site: Site, tmp_path: Path) -> None:
    for _ in range(2):
        assert definition(f"{site.url}/{FILE}", SUM, tmp_path / "kept") == TEXT
    assert site.asked == [f"/{FILE}"]


def test_a_damaged_copy_is_downloaded_again(site: Site, tmp_path: Path) -> None:
    definition(f"{site.url}/{FILE}", SUM, tmp_path / "kept")
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_text("half of i")
    assert definition(f"{site.url}/{FILE}", SUM, tmp_path / "kept") == TEXT


def test_another_definition_is_refused_with_both_sums_and_is_not_kept(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DefinitionsError) as error:
        definition(f"{site.url}/{FILE}", "0" * 64, tmp_path / "kept")
    for part in (f"{site.url}/{FILE}", SUM, "0" * 64, "piray mirror", "Nothing was changed"):
        assert part in str(error.value)
    assert not (tmp_path / "kept").exists()


def test_a_mirror_without_it_is_named_with_the_remedy(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DefinitionsError, match=rf"{site.url}/other.yaml .*not found.*piray mirror DIR"):
        definition(f"{site.url}/other.yaml", SUM, tmp_path)


def test_an_address_that_nobody_answers_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DefinitionsError, match=r"http://127.0.0.1:1/a.yaml cannot .* k3s.mirror"):
        definition("http://127.0.0.1:1/a.yaml", SUM, tmp_path)


def test_a_cache_that_cannot_be_written_is_none(site: Site, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert definition(f"{site.url}/{FILE}", SUM, blocked / "kept") == TEXT


def test_definitions_are_kept_in_the_users_cache(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "piray" / "kuberay"
    assert cache_folder({}).parts[-3:] == (".cache", "piray", "kuberay")


def test_they_come_from_the_release_unless_there_is_a_mirror() -> None:
    assert definitions_url(None).endswith("/v1.6.2/ray-operator/config/crd/bases")
    assert definitions_url("http://192.0.2.1:8000") == "http://192.0.2.1:8000/kuberay/v1.6.2"


def establish(cluster: ClusterDouble) -> None:
    """Do as the API server does, a moment after a definition was made."""
    for one in cluster.objects.values():
        one["status"] = {"conditions": [{"type": "Established", "status": "True"}]}


def test_they_are_applied_as_they_are_and_taken_over_if_there() -> None:
    cluster = ClusterDouble({}, establish)
    apply_definitions(cluster, {FILE: TEXT})  # type: ignore[arg-type]
    assert cluster.objects[PATH]["body"] == TEXT
    assert cluster.objects[PATH]["contentType"] == "application/apply-patch+yaml"
    (applied,) = [path for verb, path in cluster.calls if verb == "PATCH"]
    assert "fieldManager=piray" in applied
    assert "force=true" in applied


def test_a_cluster_that_does_not_take_them_up_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(definitions, "_ESTABLISHED_S", 0.0)
    with pytest.raises(ApiError, match="does not take them up"):
        apply_definitions(ClusterDouble({}), {FILE: TEXT})  # type: ignore[arg-type]


def test_they_are_removed_and_gone() -> None:
    cluster = ClusterDouble({PATH: {"metadata": {"name": "rayjobs.ray.io"}}})
    remove_definitions(cluster, {FILE: SUM})  # type: ignore[arg-type]
    assert cluster.objects == {}
