"""Text that k3s reads and writes."""

from typing import Any

import yaml

from infra.k3s.config_files import api_endpoint, render_agent_config, render_kubeconfig, render_server_config

SERVERS = ["198.51.100.1", "198.51.100.2", "198.51.100.3"]
TOKEN = f"K10{'a' * 64}::server:secret"
# Options that k3s wants to be the same on all servers, of those that we set.
CRITICAL = ("disable", "secrets-encryption", "tls-san", "write-kubeconfig-mode")
KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
"""


def server(number: int, **joining: Any) -> dict[str, Any]:
    text = render_server_config(f"pi{number}", SERVERS[number - 1], SERVERS, **joining)
    assert text.startswith("# Managed by Pulumi; edits are overwritten.\n")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def test_the_first_of_several_servers_starts_an_etcd_and_leaves_the_tokens_to_its_script() -> None:
    assert server(1) == {
        "node-name": "pi1",
        "node-ip": "198.51.100.1",
        "tls-san": SERVERS,
        "disable": ["traefik", "servicelb"],
        "secrets-encryption": True,
        "embedded-registry": True,
        "write-kubeconfig-mode": "0600",
        "cluster-init": True,
    }


def test_a_single_server_has_no_etcd() -> None:
    assert "cluster-init" not in yaml.safe_load(render_server_config("pi1", SERVERS[0], SERVERS[:1]))


def test_a_joining_server_shares_every_critical_option_and_the_agent_token() -> None:
    first = server(1)
    joining = server(2, join=SERVERS[0], token=TOKEN, agent_token="shared")
    assert {key: joining[key] for key in CRITICAL} == {key: first[key] for key in CRITICAL}
    assert joining["server"] == "https://198.51.100.1:6443"
    assert joining["token"] == TOKEN
    assert joining["agent-token"] == "shared"
    assert "cluster-init" not in joining


def test_an_agent_knows_its_server_and_nothing_of_the_cluster() -> None:
    text = render_agent_config("pi4", "198.51.100.4", join=SERVERS[0], token=TOKEN)
    assert yaml.safe_load(text) == {
        "node-name": "pi4",
        "node-ip": "198.51.100.4",
        "server": "https://198.51.100.1:6443",
        "token": TOKEN,
    }
    assert f'\ntoken: "{TOKEN}"\n' in text


def test_an_ipv6_endpoint_has_brackets() -> None:
    assert api_endpoint("2001:db8::1") == "https://[2001:db8::1]:6443"


def test_the_kubeconfig_points_at_the_server_under_its_own_name() -> None:
    rendered = yaml.safe_load(render_kubeconfig(KUBECONFIG, SERVERS[0], "piray-dev"))
    assert rendered == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "piray-dev",
                "cluster": {"certificate-authority-data": "Q0E=", "server": "https://198.51.100.1:6443"},
            }
        ],
        "users": [
            {
                "name": "piray-dev",
                "user": {"client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"},
            }
        ],
        "contexts": [{"name": "piray-dev", "context": {"cluster": "piray-dev", "user": "piray-dev"}}],
        "current-context": "piray-dev",
    }


def test_a_name_that_looks_like_a_number_stays_a_name() -> None:
    """K3s reads YAML with a library for which 1e3 without quotes is a thousand."""
    text = render_agent_config("1e3", "198.51.100.2", join="198.51.100.1", token="K10a::node:b")
    assert '\nnode-name: "1e3"\n' in text
