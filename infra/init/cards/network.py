"""How a Pi gets its address: by itself, with prefix, router and name servers, or by DHCP."""

import ipaddress
import re
from collections.abc import Sequence

from infra.config.problems import InvalidValueError
from infra.init.cards.cloud_init import FixedAddress
from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions

ADDRESS_BITS = 32


def ask_networks(
    questions: Questions, options: Options, addresses: Sequence[str]
) -> dict[str, FixedAddress | None]:
    """Return by address of a host how it gets that; None for DHCP. What is missing is among the problems.

    Args:
        questions: How they are asked.
        options: What was said beforehand.
        addresses: Of the hosts.
    """
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
