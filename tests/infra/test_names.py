"""Spellings that both halves of the project and Pulumi's config agree on."""

import pytest

from infra.names import camel_case


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("workers", "workers"),
        ("ray_token", "rayToken"),
        ("k3s_version", "k3sVersion"),
        ("install_script_sha256", "installScriptSha256"),
        ("memory_mib", "memoryMib"),
        ("has_IPv6_address", "hasIPv6Address"),
    ],
)
def test_each_part_but_the_first_begins_with_a_capital_and_stays_as_it_is(name: str, spelt: str) -> None:
    assert camel_case(name) == spelt
