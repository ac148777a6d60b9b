"""Addresses that no Pi of a cluster can have, as far as the text of the config tells. Pure."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from infra.config.problems import ProblemList

# Of the pods and of the Services: k3s's defaults. https://docs.k3s.io/cli/server#networking
CLUSTER_NETWORKS = (ipaddress.ip_network("10.42.0.0/16"), ipaddress.ip_network("10.43.0.0/16"))
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
