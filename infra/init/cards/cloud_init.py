"""The three files that cloud-init reads from a Pi's boot partition, as text.

Raspberry Pi OS reads them since trixie, Ubuntu for the Pi always has. Modelled on what Raspberry Pi Imager 2
writes (src/customization_generator.cpp), with a fixed address and host keys.
https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
"""

import hashlib
import ipaddress
from dataclasses import dataclass

import yaml

from infra.config.values.ssh_keys import Secret
from infra.init.network.host_keys import HostKeyPair

USER_DATA = "user-data"
NETWORK_CONFIG = "network-config"
META_DATA = "meta-data"


@dataclass(frozen=True)
class FixedAddress:
    """An address that the Pi gives itself.

    Attributes:
        address: With the length of its network's prefix, as in 192.0.2.11/24.
        gateway: Address of the router.
        dns: Addresses of name servers.
    """

    address: ipaddress.IPv4Interface
    gateway: ipaddress.IPv4Address
    dns: tuple[ipaddress.IPv4Address, ...]


@dataclass(frozen=True)
class Card:
    """What one card makes of a Pi.

    Attributes:
        hostname: Of the Pi.
        user: The user of all logins.
        public_keys: Lines of its authorized_keys.
        password_hash: Of the password that sudo then asks for; None for sudo without one. No login takes it.
        network: None for an address by DHCP.
        host_key: None where the Pi makes its own.
    """

    hostname: str
    user: str
    public_keys: tuple[str, ...]
    password_hash: Secret | None = None
    network: FixedAddress | None = None
    host_key: HostKeyPair | None = None


def card_files(card: Card) -> dict[str, str]:
    """Return file name → contents."""
    user_data, network_config = _user_data(card), _network_config(card.network)
    # Another id makes cloud-init set the Pi up anew: the same contents must have the same one.
    digest = hashlib.sha256(f"{user_data}\0{network_config}".encode()).hexdigest()[:12]
    meta_data: dict[str, object] = {"instance-id": f"piray-{card.hostname}-{digest}", "dsmode": "local"}
    return {
        USER_DATA: f"#cloud-config\n# Made by `piray init`.\n{user_data}",
        NETWORK_CONFIG: network_config,
        META_DATA: _dump(meta_data),
    }


def _user_data(card: Card) -> str:
    rule = "ALL=(ALL) ALL" if card.password_hash else "ALL=(ALL) NOPASSWD:ALL"
    user: dict[str, object] = {
        "name": card.user,
        "shell": "/bin/bash",
        "lock_passwd": card.password_hash is None,
        "ssh_authorized_keys": list(card.public_keys),
        # Without it the user would get what the image gives its default user, which differs by image.
        "sudo": rule,
    }
    if card.password_hash:
        user["passwd"] = card.password_hash.reveal()
    commands = [["systemctl", "enable", "--now", "ssh"]]
    data: dict[str, object] = {
        "hostname": card.hostname,
        "manage_etc_hosts": "localhost",
        # Not `users`: this one changes the image's own user and keeps its groups.
        "user": user,
        "ssh_pwauth": False,
        # Imager found that `sudo` above is not heeded by every image, and writes a file as well.
        "write_files": [
            {"path": "/etc/sudoers.d/010_piray", "content": f"{card.user} {rule}\n", "permissions": "0440"}
        ],
    }
    if card.host_key:
        private = card.host_key.private.reveal()
        data["ssh_keys"] = {"ed25519_private": private, "ed25519_public": card.host_key.public}
        # Images of Raspberry Pi OS had a service that makes new keys at the first boot, after cloud-init's
        # turn: raspberrypi-sys-mods, regenerate_ssh_host_keys.
        commands = [
            ["cloud-init", "single", "--name", "ssh", "--frequency", "always"],
            ["systemctl", "enable", "ssh"],
            ["systemctl", "restart", "ssh"],
        ]
    return _dump({**data, "runcmd": commands})


def _network_config(network: FixedAddress | None) -> str:
    # Optional, so that a Pi without a cable does not wait for minutes at each boot.
    ethernet: dict[str, object] = {"dhcp4": network is None, "optional": True}
    if network:
        ethernet |= {
            "addresses": [str(network.address)],
            # Not "default", which the cloud-init of Debian 12 does not know.
            "routes": [{"to": "0.0.0.0/0", "via": str(network.gateway)}],
            "nameservers": {"addresses": [str(address) for address in network.dns]},
        }
    return _dump({"network": {"version": 2, "ethernets": {"eth0": ethernet}}})


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as lines."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def _dump(data: dict[str, object]) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
