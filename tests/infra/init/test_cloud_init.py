"""What cloud-init itself says of the files for cards, and makes of them."""

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from infra.config.values.ssh_keys import Secret
from infra.init.cards.cloud_init import Card, FixedAddress, card_files
from infra.init.network.host_keys import generate
from tests.infra.init.cloud_init_tool import cloud_init, knows_network_schema

HASH = Secret(
    "$6$vfLYPUOZLBQX1uJ1$FrQ2q/QO9jv8zFYzQDC7Xp0QtO0bEhAOpQ4VVDj8pTWHc4jDlCqvyJz2Z5s.4QvOAnkTUIPYvJjC1LqZB9cY90"
)


def fixed(address: str, gateway: str, *dns: str) -> FixedAddress:
    servers = tuple(ipaddress.IPv4Address(one) for one in dns)
    return FixedAddress(ipaddress.IPv4Interface(address), ipaddress.IPv4Address(gateway), servers)


BARE = Card(
    "pi1",
    "anna",
    ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1BNAnKq+6bI8LNyVt8cB30GzloUqXSXl1nKUDlHZ+i a: b #1",),
)
CARDS = {
    "dhcp": BARE,
    "fixed address": replace(BARE, network=fixed("192.0.2.11/24", "192.0.2.1", "192.0.2.1", "198.51.100.1")),
    "password": replace(BARE, password_hash=HASH),
    "host key": replace(BARE, host_key=generate()),
    "names that YAML takes for something else": replace(BARE, hostname="0x1f", user="on"),
}


def written(card: Card, folder: Path) -> dict[str, Path]:
    files = {name: folder / name for name in card_files(card)}
    for name, text in card_files(card).items():
        files[name].write_text(text)
    return files


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_cloud_init_finds_nothing_wrong(card: Card, tmp_path: Path) -> None:
    files = written(card, tmp_path)
    said = cloud_init("schema", "--config-file", files["user-data"])
    assert "Valid" in said
    assert "deprecated" not in said.lower()
    if knows_network_schema():
        checked = cloud_init(
            "schema", "--schema-type", "network-config", "--config-file", files["network-config"]
        )
        assert "Valid" in checked


def converted(card: Card, folder: Path, renderer: str) -> str:
    file = written(card, folder)["network-config"]
    out = folder / renderer
    cloud_init(
        *("devel", "net-convert", "--network-data", file, "--kind", "yaml", "--directory", out),
        *("--distro", "debian", "--output-kind", renderer),
    )
    return "\n".join(path.read_text() for path in sorted(out.rglob("*")) if path.is_file())


@pytest.mark.parametrize("renderer", ["netplan", "networkd", "eni"])
@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_cloud_init_makes_the_network_of_every_system_from_it(
    card: Card, renderer: str, tmp_path: Path
) -> None:
    text = converted(card, tmp_path, renderer)
    if card.network is None:
        assert "dhcp" in text.lower()
        return
    assert str(card.network.address) in text
    assert all(str(one) in text for one in (card.network.gateway, *card.network.dns))


def test_only_the_key_logs_in() -> None:
    for card in CARDS.values():
        data = yaml.safe_load(card_files(card)["user-data"])
        assert data["ssh_pwauth"] is False
        assert data["user"]["ssh_authorized_keys"] == list(card.public_keys)
        assert data["user"]["name"] == card.user
        assert data["hostname"] == card.hostname


def test_sudo_asks_for_a_password_only_where_there_is_one() -> None:
    for card in CARDS.values():
        data = yaml.safe_load(card_files(card)["user-data"])
        asks = card.password_hash is not None
        assert data["user"]["lock_passwd"] is not asks
        assert ("NOPASSWD" in data["user"]["sudo"]) is not asks
        assert ("NOPASSWD" in data["write_files"][0]["content"]) is not asks


def test_the_id_of_a_setup_changes_with_it_and_only_then() -> None:
    def id_of(card: Card) -> str:
        found: str = yaml.safe_load(card_files(card)["meta-data"])["instance-id"]
        return found

    assert id_of(BARE) == id_of(replace(BARE))
    assert len({id_of(card) for card in CARDS.values()}) == len(CARDS)
