"""Addresses that are refused in preview, because no Pi of a cluster can have them."""

import pytest

from infra.config.problems import ProblemList
from infra.config.values.addresses import check_addresses

CASES = {
    "169.254.7.7": "gives itself",
    "fe80::1": "gives itself",
    "2001:db8::1": "IPv6",
    "255.255.255.255": "no machine can have",
    "0.1.2.3": "no machine can have",
    "192.168.1.255": "broadcast",
    "192.168.1.0": "the network itself",
    "10.42.0.11": "10.42.0.0/16",
    "10.43.255.11": "10.43.0.0/16",
}
GOOD = ("192.168.1.11", "10.41.255.254", "10.44.0.1", "172.16.0.9", "100.64.1.7", "203.0.113.9")


@pytest.mark.parametrize("address", CASES)
def test_an_address_that_cannot_work_is_refused_with_its_reason(address: str) -> None:
    problems = ProblemList(frozenset())
    check_addresses([{"address": "192.168.1.10"}, {"address": address}], problems)
    (problem,) = problems.problems
    assert problem.path == "piray:hosts[1].address"
    assert CASES[address] in problem.rule
    assert "hostname -I" in problem.remedy


def test_addresses_of_home_networks_are_accepted() -> None:
    problems = ProblemList(frozenset())
    check_addresses([{"address": address} for address in GOOD], problems)
    assert problems.problems == []


def test_a_host_whose_address_could_not_be_read_is_left_out() -> None:
    check_addresses([{}], ProblemList(frozenset()))
