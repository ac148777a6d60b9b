"""What a card says beside the stack file: who may log in, sudo, and the address of the Pi."""

import ipaddress
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.config.problems import InvalidValueError
from infra.config.values.ssh_keys import Secret, parse_private_key, read_key_file
from infra.init.cards.cloud_init import FixedAddress
from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions
from infra.init.network.host_keys import public_half

# crypt(5): SHA-256, SHA-512, yescrypt.
_HASH = re.compile(r"\$(5|6|y)\$[!-9;-~]{20,}")
_PUBLIC_KEY = re.compile(r"(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/]{40,}=*( .*)?")
ADDRESS_BITS = 32


@dataclass(frozen=True)
class CardAnswers:
    """What all cards of a stack have in common.

    Attributes:
        public_keys: Lines of authorized_keys.
        password_hash: Of the password that sudo asks for; None for sudo without one.
        networks: Address of a host → how it gets that address; None for DHCP.
    """

    public_keys: tuple[str, ...]
    password_hash: Secret | None
    networks: dict[str, FixedAddress | None]


def ask_cards(
    questions: Questions,
    options: Options,
    addresses: Sequence[str],
    key_file: str | None,
    *,
    key_known: bool = True,
    sudo_asks: bool,
) -> CardAnswers:
    """Return the answers that cards need beside the stack file; what is missing is among the problems.

    Args:
        questions: How they are asked.
        options: What was said beforehand.
        addresses: Of the hosts.
        key_file: File of the private key that logs in; None for the SSH agent.
        key_known: Whether it is known which of the two it is.
        sudo_asks: Whether sudo is to ask for a password.
    """
    keys = _public_keys(questions, options, key_file) if key_known or options.public_key else ()
    password = None
    if sudo_asks or options.password_hash is not None:
        password = questions.ask(
            "Hash of the password for sudo, as `openssl passwd -6` prints it",
            _check_hash,
            option="--password-hash",
            given=options.password_hash,
            secret=True,
        )
    return CardAnswers(keys, password, _ask_networks(questions, options, addresses))


def _check_hash(text: str) -> Secret:
    if not _HASH.fullmatch(text):
        raise InvalidValueError(
            "is not the hash of a password ($5$…, $6$… or $y$…)", "Take what `openssl passwd -6` prints."
        )
    return Secret(text)


def _public_keys(questions: Questions, options: Options, key_file: str | None) -> tuple[str, ...]:
    """Return the public keys from files, else that of the private key, else those of the SSH agent."""
    if options.public_key:
        found = []
        for file in options.public_key:
            try:
                found += _read_public(file)
                questions.said += ["--public-key", file]
            except InvalidValueError as error:
                questions.problems.append(f"--public-key {file} {error.rule}.\n    {error.remedy}")
        return tuple(found)
    if key_file is not None:
        try:
            private = parse_private_key(read_key_file(key_file))
        except InvalidValueError as error:
            questions.problems.append(f"the key file {key_file} {error.rule}.\n    {error.remedy}")
            return ()
        return (public_half(private.reveal()),)
    keys = _agent_keys()
    if not keys:
        questions.problems.append(
            "--public-key is missing: your SSH agent has no key, and without one nobody could log in.\n"
            "    Give the file, as in --public-key ~/.ssh/id_ed25519.pub, or load a key (`ssh-add`)."
        )
    return keys


def _read_public(file: str) -> list[str]:
    text = read_key_file(file, "Give the file of a public key, as in ~/.ssh/id_ed25519.pub.")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if any("PRIVATE KEY" in line for line in lines):
        raise InvalidValueError(
            "is a private key, which must not lie on a card", f"Give {Path(file).name}.pub."
        )
    if not lines or not all(_PUBLIC_KEY.fullmatch(line) for line in lines):
        raise InvalidValueError(
            "holds no public key", "Give a file such as ~/.ssh/id_ed25519.pub, one key on each line."
        )
    return lines


def _agent_keys() -> tuple[str, ...]:
    try:
        answer = subprocess.run(
            ["ssh-add", "-L"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        ).stdout
    except FileNotFoundError:
        return ()
    return tuple(line for line in answer.splitlines() if _PUBLIC_KEY.fullmatch(line))


def _ask_networks(
    questions: Questions, options: Options, addresses: Sequence[str]
) -> dict[str, FixedAddress | None]:
    way = questions.choose(
        "How does a Pi get its address? fixed: it gives it to itself; dhcp: your router has it reserved",
        ("fixed", "dhcp"),
        option="--network",
        given=options.network,
        default="fixed",
    )
    if way != "fixed":
        if way == "dhcp":
            _refuse_fixed(questions, options)
        return dict.fromkeys(addresses)
    prefix = questions.ask(
        "Length of the network's prefix",
        _check_prefix,
        option="--prefix",
        given=options.prefix,
        default="24",
    )
    first = _first_address(addresses, prefix) if questions.interactive else None
    gateway = questions.ask(
        "Address of your router",
        lambda text: _check_gateway(text, prefix, addresses),
        option="--gateway",
        given=options.gateway,
        default=first,
    )
    dns = _ask_dns(questions, options, gateway)
    if prefix is None or gateway is None or dns is None:
        return {}
    return {
        address: FixedAddress(ipaddress.IPv4Interface(f"{address}/{prefix}"), gateway, dns)
        for address in addresses
    }


def _ask_dns(
    questions: Questions, options: Options, gateway: ipaddress.IPv4Address | None
) -> tuple[ipaddress.IPv4Address, ...] | None:
    dns = questions.ask(
        "Addresses of the name servers",
        _check_dns,
        option="--dns",
        given=" ".join(options.dns) or None,
        default=str(gateway) if gateway else None,
        remember=False,
    )
    questions.said += [word for one in dns or () for word in ("--dns", str(one))]
    return dns


def _check_prefix(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= ADDRESS_BITS:
        raise InvalidValueError(
            f"must be a whole number from 1 to {ADDRESS_BITS}",
            "Most networks at home have 24 (255.255.255.0).",
        )
    return int(text)


def _refuse_fixed(questions: Questions, options: Options) -> None:
    names = ("prefix", "gateway", "dns")
    if given := [f"--{name}" for name in names if getattr(options, name)]:
        questions.problems.append(
            f"{', '.join(given)}: only with --network fixed; by DHCP your router tells the Pi all of this.\n"
            "    Leave out what has no meaning here."
        )
        if questions.interactive:
            questions.refuse_problems()


def _first_address(addresses: Sequence[str], prefix: int | None) -> str | None:
    if not addresses or prefix is None:
        return None
    return str(next(ipaddress.IPv4Interface(f"{addresses[0]}/{prefix}").network.hosts()))


def _check_dns(text: str) -> tuple[ipaddress.IPv4Address, ...]:
    remedy = "Give the address of a name server, most often that of your router; several with blanks between."
    found = tuple(_ipv4(one, remedy) for one in text.replace(",", " ").split())
    if not found:
        raise InvalidValueError("names no server", remedy)
    return found


def _ipv4(text: str, remedy: str) -> ipaddress.IPv4Address:
    """Return the address of another machine in a network of IPv4."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise InvalidValueError("is not an IPv4 address: four numbers with dots", remedy) from None
    if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_reserved:
        raise InvalidValueError("is an address that no other machine has", remedy)
    return address


def _check_gateway(text: str, prefix: int | None, addresses: Sequence[str]) -> ipaddress.IPv4Address:
    gateway = _ipv4(
        text,
        "Give the address of your router, as in 192.0.2.1 "
        "(`ip route` on a machine in that network prints it behind `default via`).",
    )
    for address in addresses if prefix is not None else ():
        network = ipaddress.IPv4Interface(f"{address}/{prefix}").network
        if gateway not in network:
            raise InvalidValueError(
                f"is not in the network {network} of the Pi at {address}, which could not reach it",
                "Give the router's address in that network, or another prefix.",
            )
        if str(gateway) == address:
            raise InvalidValueError("is the address of a Pi", "Give the address of your router.")
    return gateway
