"""registries.yaml on fake hosts: the image's registry is named in it, beside whatever the owner has there."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.k3s.component import REGISTRY_CA_FILE
from tests.infra.fake_host import FakeHost, contents
from tests.infra.k3s.mirror import IMAGE, Mirror, install, refusal

FILE = "etc/rancher/k3s/registries.yaml"
REGISTRY = "192.0.2.9:5000"
PLAIN = {REGISTRY: {"endpoint": [f"http://{REGISTRY}"]}}
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
# Whatever people write: other indentations, comments, quotes, an empty section, one that is last.
OWNERS = [
    "mirrors:\n  docker.io:\n    endpoint:\n      - https://mirror.example\n",
    "# Mine.\nmirrors:   # all of them\n\n    # the first\n    'quay.io':\n        endpoint: [https://q.example]\n",
    "configs:\n  quay.io:\n    auth:\n      username: anna\n      password: 'not # piray'\n",
    "mirrors:\nconfigs:\n  quay.io: {auth: {username: anna}}\n",
    "configs: {}\nmirrors:\n  quay.io: {}\n",
]  # fmt: skip


def written(host: FakeHost) -> Any:
    return yaml.safe_load(host.read(FILE))


def merged(own: str, section: str, entries: dict[str, Any]) -> Any:
    values = yaml.safe_load(own)
    return {**values, section: {**(values.get(section) or {}), **entries}}


def apply(host: FakeHost, mirror: Mirror, **given: str) -> None:
    assert install(host, mirror, **given).returncode == 0


def test_a_bare_host_gets_a_file_that_only_root_reads_and_k3s_starts_with_it(
    host: FakeHost, mirror: Mirror
) -> None:
    apply(host, mirror, registry=REGISTRY)
    assert written(host) == {"mirrors": PLAIN}
    assert (host.root / FILE).stat().st_mode & 0o777 == 0o600


def test_a_registry_that_needs_nothing_is_named_so_that_nodes_give_each_other_its_images(
    host: FakeHost, mirror: Mirror
) -> None:
    apply(host, mirror)
    assert written(host) == {"mirrors": {IMAGE.partition("/")[0]: {}}}


@pytest.mark.parametrize("own", OWNERS)
def test_the_owners_lines_stay_and_ours_go_with_k3s(own: str, host: FakeHost, mirror: Mirror) -> None:
    host.write(FILE, own).chmod(0o640)
    apply(host, mirror, registry=REGISTRY)
    assert written(host) == merged(own, "mirrors", PLAIN)
    assert set(own.splitlines()) <= set(host.read(FILE).splitlines())
    assert install(host, mirror, action="undo", registry=REGISTRY).returncode == 0
    assert host.read(FILE) == own


def test_what_the_owner_adds_later_stays_when_the_registry_changes(host: FakeHost, mirror: Mirror) -> None:
    host.write(FILE, OWNERS[0])
    apply(host, mirror, registry=REGISTRY)
    host.write(FILE, host.read(FILE) + "  ghcr.io: {}\n")
    apply(host, mirror)
    assert set(written(host)["mirrors"]) == {"docker.io", "ghcr.io", IMAGE.partition("/")[0]}


def test_k3s_restarts_when_the_registry_changes_and_only_then(host: FakeHost, mirror: Mirror) -> None:
    apply(host, mirror)
    counts = []
    for registry in (REGISTRY, REGISTRY, ""):
        apply(host, mirror, registry=registry)
        counts.append(sum(call.startswith("systemctl restart") for call in host.calls()))
    assert counts == [2, 2, 3]


def test_a_bare_host_is_left_as_it_was_found(host: FakeHost, mirror: Mirror) -> None:
    before = contents(host.root)
    apply(host, mirror, registry=REGISTRY, ca=CA)
    assert install(host, mirror, action="undo").returncode == 0
    assert contents(host.root) == before


@pytest.mark.parametrize("key", [REGISTRY, f'"{REGISTRY}"', f"'{REGISTRY}'"])
def test_what_the_owner_says_of_the_registry_holds(key: str, host: FakeHost, mirror: Mirror) -> None:
    own = f"mirrors:\n  {key}:\n    endpoint: [http://other.example]\n"
    host.write(FILE, own)
    apply(host, mirror, registry=REGISTRY)
    assert host.read(FILE) == own


def test_an_authority_of_ones_own_is_a_file_beside_it(host: FakeHost, mirror: Mirror) -> None:
    apply(host, mirror, ca=CA)
    registry = IMAGE.partition("/")[0]
    assert written(host)["configs"] == {registry: {"tls": {"ca_file": REGISTRY_CA_FILE}}}
    assert host.read(REGISTRY_CA_FILE.lstrip("/")) == CA
    apply(host, mirror)
    assert "configs" not in written(host)
    assert not Path(host.root / REGISTRY_CA_FILE.lstrip("/")).exists()


def test_a_section_in_one_line_is_refused_where_the_image_needs_a_line_of_its_own(
    host: FakeHost, mirror: Mirror
) -> None:
    own = "mirrors: {quay.io: {endpoint: [https://q.example]}}\n"
    host.write(FILE, own)
    text = refusal(install(host, mirror, registry=REGISTRY))
    assert "registries.yaml is yours and has mirrors in one line" in text
    assert REGISTRY in text
    apply(host, mirror)
    assert host.read(FILE) == own


def test_a_file_that_an_earlier_version_wrote_is_replaced(host: FakeHost, mirror: Mirror) -> None:
    host.write(FILE, "# Managed by Pulumi; edits are overwritten.\nmirrors:\n  old.example: {}\n")
    apply(host, mirror, registry=REGISTRY)
    assert written(host) == {"mirrors": PLAIN}
