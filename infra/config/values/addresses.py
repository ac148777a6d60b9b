"""Addresses that hosts can have, and those that none can, as far as the text of the config tells. Pure."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from infra.config.problems import InvalidValueError, ProblemList

# RFC 1123
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# Of the pods and of the Services: k3s's defaults. https://docs.k3s.io/cli/server#networking
CLUSTER_NETWORKS = (ipaddress.ip_network("10.42.0.0/16"), ipaddress.ip_network("10.43.0.0/16"))
_NEAR_ADDRESS = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,5}){3})(?:/[0-9.]{1,15})?")
# "This network", and everything from 240 on, 255.255.255.255 included. RFC 6890.
_NOBODYS = (ipaddress.ip_network("0.0.0.0/8"), ipaddress.ip_network("240.0.0.0/4"))
_ENDS = {0: "the network itself", 255: "all its machines (broadcast)"}

_REMEDY = "Give the Pi's own IPv4 address in your network, as in 198.51.100.11 (`hostname -I` on the Pi)."


def check_addresses(hosts: Sequence[Mapping[str, Any]], problems: ProblemList) -> None:
    """Check the addresses of all hosts.

    Args:
        hosts: The fields that could be read of each host.
        problems: Gets every address that cannot work.
    """
    for index, host in enumerate(hosts):
        address = host.get("address")
        if address is not None and (rule := _rule(address)):
            problems.add(("hosts", index, "address"), address, rule, _REMEDY)


def _rule(text: str) -> str:
    """Return what is wrong with an address, as the end of a sentence; empty for nothing."""
    address = ipaddress.ip_address(text)
    if address.is_link_local:
        return "is an address that a machine gives itself when nobody gives it one, and it changes"
    if isinstance(address, ipaddress.IPv6Address):
        return "is an IPv6 address: the networks of k3s and Ray are IPv4 here, and the two do not mix"
    if any(address in network for network in _NOBODYS):
        return "is an address that no machine can have"
    for network in CLUSTER_NETWORKS:
        if address in network:
            return f"is in {network}, which Kubernetes uses itself: use another range in your router"
    last = address.packed[-1]
    if last in _ENDS:
        return f"ends in .{last}, which in most networks stands for {_ENDS[last]}"
    return ""


def parse_address(value: str) -> str:
    """Return the address of a Pi in its standard spelling.

    Raises:
        InvalidValueError: If no other Pi can reach it.
    """
    remedy = (
        "Give the fixed address of the Pi in your network, as in 198.51.100.11 (`hostname -I` on the Pi)."
    )
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise InvalidValueError(
            "is not an IP address: four numbers with dots", _meant(value) or remedy
        ) from None
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        raise InvalidValueError(
            "is a loopback, multicast or empty address, which no other Pi can reach", remedy
        )
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        raise InvalidValueError("is an IPv6 address bound to one machine's view (%zone or ::ffff:…)", remedy)
    return str(address)


def _meant(value: str) -> str:
    """Return what to write in the place of what is nearly an IPv4 address; empty for anything else."""
    near = _NEAR_ADDRESS.fullmatch(value.strip())
    try:
        meant = (
            ipaddress.ip_address(".".join(str(int(part)) for part in near[1].split("."))) if near else None
        )
    except ValueError:
        return ""
    why = "with neither the length of the network's prefix nor zeros before a number"
    return f"Write {meant}, {why}." if meant else ""


def parse_jump_host(value: str) -> str:
    """Return the address of a jump host: an IP address, or a name in small letters.

    Raises:
        InvalidValueError: If it is neither.
    """
    remedy = "Give its IP address or its name in the DNS, as in 192.0.2.1 or gate.example.org."
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        labels = value.lower().removesuffix(".").split(".")
        if not all(LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
            raise InvalidValueError("is neither an IP address nor the name of a host", remedy) from None
        return value.lower()
