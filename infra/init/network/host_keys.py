"""Host keys: what a Pi on the network shows, how it is compared by people, and new ones for cards."""

import base64
import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.config.problems import InvalidValueError
from infra.config.values.ssh_keys import HOST_KEY_TYPES, Secret, parse_host_key
from infra.init.dialogue.values import InitError

# For one host that does not answer; all are asked at the same time.
TIMEOUT_S = 10


@dataclass(frozen=True)
class HostKeyPair:
    """A host key made for a card.

    Attributes:
        private: In OpenSSH's format.
        public: `<type> <base64>`.
    """

    private: Secret
    public: str


def scan(addresses: Sequence[str], port: int) -> dict[str, str]:
    """Ask the SSH servers at addresses for their host keys.

    Returns:
        Address → `<type> <base64>`, of the kind that comes first in HOST_KEY_TYPES. Who did not answer is
        missing.

    Raises:
        InitError: If this machine has no ssh-keyscan.
    """
    kinds = ",".join(kind.removeprefix("ssh-").split("-")[0] for kind in HOST_KEY_TYPES[:2])
    command = ["ssh-keyscan", "-T", str(TIMEOUT_S), "-p", str(port), "-t", kinds, "--", *addresses]
    try:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).stdout
    except FileNotFoundError:
        raise InitError(
            "ssh-keyscan is missing: it asks the Pis for their host keys.\n"
            "    Install OpenSSH's client (sudo apt-get install openssh-client)."
        ) from None
    found: dict[str, dict[str, str]] = {}
    for line in answer.decode(errors="replace").splitlines():
        host, _, key = line.partition(" ")
        try:
            key = parse_host_key(key)
        except InvalidValueError:
            continue
        found.setdefault(_without_port(host, port), {})[key.split()[0]] = key
    return {address: _best(found[address]) for address in addresses if address in found}


def _without_port(host: str, port: int) -> str:
    """Return the address in the first word of a known_hosts line: `[ADDRESS]:PORT` on an unusual port."""
    return host.removeprefix("[").removesuffix(f"]:{port}")


def _best(keys: Mapping[str, str]) -> str:
    return min(keys.values(), key=lambda key: HOST_KEY_TYPES.index(key.split()[0]))


def fingerprint(key: str) -> str:
    """Return the fingerprint of a public key as `ssh-keygen -lf` prints it.

    >>> fingerprint("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1BNAnKq+6bI8LNyVt8cB30GzloUqXSXl1nKUDlHZ+i")
    'SHA256:CYY8Xc14CA+VXZzLAdWvw36Wjz0MpYaORthSsV/FaLI'
    """
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def key_file_on_pi(key: str) -> str:
    """Return where a Pi keeps the public half of a host key."""
    kind = "ecdsa" if key.startswith("ecdsa-") else "ed25519"
    return f"/etc/ssh/ssh_host_{kind}_key.pub"


def generate() -> HostKeyPair:
    """Make a new host key; nothing of it is written anywhere."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 — most runs make no key
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return HostKeyPair(Secret(private.decode()), public_half(private.decode()))


def public_half(private: str) -> str:
    """Return the public half of a private key in any format that `parse_private_key` takes."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    openssh = private.startswith("-----BEGIN OPENSSH ")
    read = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    public = read(private.encode(), password=None).public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
