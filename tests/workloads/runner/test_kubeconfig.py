"""A kubeconfig of any shape: used, or refused by the name of what is wrong in it, no secret is repeated."""

import base64
import copy
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workloads.runner.fake_kubernetes import kubeconfig, kubernetes
from workloads.runner.kubeconfig import KubernetesError, private_kubeconfig
from workloads.runner.port_forward import forward

HIDDEN = "hidden-value"
PEM = base64.b64encode(b"-----BEGIN KEY-----").decode()
SERVER = "https://198.51.100.1:6443"
WHOLE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [
        {"name": "other", "cluster": {"server": "https://198.51.100.9:6443"}},
        {"name": "c", "cluster": {"server": SERVER, "certificate-authority-data": PEM}},
    ],
    "users": [{"name": "other"}, {"name": "u", "user": {"token": HIDDEN}}],
    "contexts": [
        {"name": "other", "context": {"cluster": "other", "user": "other"}},
        {"name": "x", "context": {"cluster": "c", "user": "u"}},
    ],
    "current-context": "x",
}


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        for name in names:
            del config[name]

    return change


def having(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update({name.replace("_", "-"): value for name, value in values.items()})


def user(**values: Any) -> Callable[[dict[str, Any]], None]:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return having(users=[{"name": "u", "user": named}])


def cluster(**values: Any) -> Callable[[dict[str, Any]], None]:
    named = {"server": SERVER, **{name.replace("_", "-"): value for name, value in values.items()}}
    return having(clusters=[{"name": "c", "cluster": named}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ufeff",
        "a: [",
        "[]",
        "{}",
        "3",
        "null",
        "text",
        "clusters: []",
        "contexts: 3",
        "a: 2026-13-45",
        "\0",
    ],
)
def test_text_that_is_no_kubeconfig_is_one_line(text: str) -> None:
    refused = pytest.raises(KubernetesError, match=r"does not hold a kubeconfig.*run `make up`")
    with refused as caught, private_kubeconfig(text):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_very_deep_text_is_no_kubeconfig_either(text: str) -> None:
    with pytest.raises(KubernetesError, match="does not hold a kubeconfig"), private_kubeconfig(text):
        pass


def test_a_kubeconfig_left_out_as_a_secret_blames_the_command_that_wrote_it() -> None:
    with pytest.raises(KubernetesError, match="add --show-secrets"), private_kubeconfig("[secret]"):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("current-context"), "with a current-context: set it to one of other, x"),
        (having(current_context=""), "with a current-context: set it to one of other, x"),
        (having(current_context="y"), "has no context 'y' (it has other, x)"),
        (having(current_context=["x"]), "current-context of the output kubeconfig must be text, not ['x']"),
        (without("contexts"), "has no context 'x'"),
        (having(contexts=[{"name": "x"}]), "context 'x' of the output kubeconfig holds nothing"),
        (
            having(contexts=[{"name": "x", "context": "c"}]),
            "context 'x' of the output kubeconfig is not a map",
        ),
        (
            having(contexts=[{"name": "x", "context": {"cluster": "c"}}]),
            "current context of the output kubeconfig names no user",
        ),
        (having(contexts=[None, 3, {"name": "x", "context": {"user": "u"}}]), "names no cluster"),
        (having(contexts=[{"name": "x", "context": {"cluster": "d", "user": "u"}}]), "has no cluster 'd'"),
        (having(contexts=[{"name": "x", "context": {"cluster": "c", "user": "v"}}]), "has no user 'v'"),
        (without("users"), "has no user 'u'"),
        (having(users={"u": {"token": HIDDEN}}), "has no user 'u'"),
        (having(users=["u"]), "has no user 'u'"),
        (having(users=[{"name": "u"}]), "user 'u' of the output kubeconfig holds nothing"),
        (having(users=[{"name": "u", "user": None}]), "user 'u' of the output kubeconfig holds nothing"),
        (having(users=[{"name": "u", "user": HIDDEN}]), "user 'u' of the output kubeconfig is not a map"),
        (user(namespace="ray"), "user 'u' of the output kubeconfig has no credentials"),
        (user(username="admin", password=HIDDEN), "has username, password, but piray needs token"),
        (user(token=[HIDDEN]), "has a token that is not one line"),
        (user(token=f"{HIDDEN}\nX-Other: 1"), "has a token that is not one line"),
        (user(token="[secret]"), "has a token that was left out as a secret"),
        (user(client_key_data=PEM), "has client-key only"),
        (
            user(client_key_data=f"{HIDDEN}=", client_certificate_data=PEM),
            "has a client-key-data that is not a PEM",
        ),
        (user(client_key_data=["a"], client_certificate_data=PEM), "has a client-key-data that is not a PEM"),
        (
            user(client_key_data=PEM, client_certificate="/nowhere/admin.crt"),
            "has a client-certificate that is no file on this machine ('/nowhere/admin.crt')",
        ),
        (having(clusters=[{"name": "c"}]), "cluster 'c' of the output kubeconfig holds nothing"),
        (cluster(server=None), "cluster 'c' of the output kubeconfig has the server None, which must be"),
        (cluster(server="pi1:6443"), "has the server 'pi1:6443', which must be an address as https://"),
        (cluster(server="https://pi1:port"), "has the server 'https://pi1:port'"),
        (cluster(server="https://[::1"), "has the server 'https://[::1'"),
        (cluster(certificate_authority_data="no base64!"), "has a certificate-authority-data that is not"),
        (cluster(certificate_authority_data=HIDDEN), "has a certificate-authority-data that is not"),
    ],
)
def test_what_is_wrong_in_a_kubeconfig_is_named(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    config = copy.deepcopy(WHOLE)
    change(config)
    with pytest.raises(KubernetesError) as caught, private_kubeconfig(yaml.safe_dump(config)):
        pass
    said = str(caught.value)
    assert message in said
    assert "make up" in said
    assert "\n" not in said
    assert HIDDEN not in said


def test_every_mistake_is_named_at_once() -> None:
    config = {**WHOLE, "clusters": [{"name": "c", "cluster": {"server": 3}}], "users": []}
    with pytest.raises(KubernetesError) as caught, private_kubeconfig(yaml.safe_dump(config)):
        pass
    first, second = str(caught.value).splitlines()
    assert "cluster 'c'" in first
    assert "user 'u'" in second


def test_the_current_context_decides_and_the_rest_is_left_alone(objects: Path) -> None:
    with kubernetes(objects, 9) as server:
        used = yaml.safe_load(kubeconfig(server))
        merged = {
            **used,
            "clusters": [
                {"name": "gone"},
                {"name": "o", "cluster": {"server": "http://127.0.0.1:9"}},
                *used["clusters"],
            ],
            "users": [{"name": "o"}, {"name": "p", "user": {"token": "other"}}, *used["users"]],
            "contexts": [{"name": "o", "context": {"cluster": "o", "user": "p"}}, *used["contexts"]],
        }
        with forward(yaml.safe_dump(merged), "ray", "ray-head", 8265) as port:
            assert port


@pytest.mark.parametrize("written", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_line_ends_and_a_mark_of_another_system_do_no_harm(written: Callable[[str], str]) -> None:
    with private_kubeconfig(written(yaml.safe_dump(WHOLE))) as config:
        assert config.server == SERVER


def test_the_keys_of_a_kubeconfig_are_private_and_leave_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    text = kubeconfig(SERVER, **{"client-key-data": PEM, "client-certificate-data": PEM})
    with private_kubeconfig(text) as config:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
        assert stat.S_IMODE(config.path.parent.stat().st_mode) == 0o700
        assert b"-----BEGIN KEY-----" in {path.read_bytes() for path in files}
        assert PEM not in config.path.read_text()
    assert list(tmp_path.rglob("*")) == []
