"""registries.yaml on fake hosts: made for a registry without TLS, never over one of the owner's."""

import yaml

from tests.infra.fake_host import FakeHost, contents
from tests.infra.k3s.mirror import Mirror, install, refusal

FILE = "etc/rancher/k3s/registries.yaml"
REGISTRY = "192.168.1.5:5000"


def restarts(host: FakeHost) -> int:
    return sum(call.startswith("systemctl restart") for call in host.calls())


def test_a_registry_without_tls_is_made_known_and_forgotten_with_k3s(host: FakeHost, mirror: Mirror) -> None:
    before = contents(host.root)
    assert install(host, mirror, registry=REGISTRY).returncode == 0
    assert yaml.safe_load(host.read(FILE)) == {"mirrors": {REGISTRY: {"endpoint": [f"http://{REGISTRY}"]}}}
    assert install(host, mirror, action="undo").returncode == 0
    assert contents(host.root) == before


def test_k3s_restarts_when_the_registry_changes_and_only_then(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    counts = []
    for registry in (REGISTRY, REGISTRY, ""):
        assert install(host, mirror, registry=registry).returncode == 0
        counts.append(restarts(host))
    assert counts == [2, 2, 3]
    assert not (host.root / FILE).exists()


def test_a_file_of_the_owners_is_left_as_it_is(host: FakeHost, mirror: Mirror) -> None:
    text = f'mirrors: {{"{REGISTRY}": {{endpoint: ["http://{REGISTRY}"]}}}}\n'
    host.write(FILE, text)
    assert install(host, mirror, registry=REGISTRY).returncode == 0
    assert install(host, mirror).returncode == 0
    assert install(host, mirror, action="undo").returncode == 0
    assert host.read(FILE) == text


def test_a_file_of_the_owners_without_the_registry_is_refused(host: FakeHost, mirror: Mirror) -> None:
    host.write(FILE, "mirrors: {}\n")
    text = refusal(install(host, mirror, registry=REGISTRY))
    assert f"registries.yaml is yours and does not name {REGISTRY}" in text
    assert host.read(FILE) == "mirrors: {}\n"
