"""What shows when the facts of several hosts lie side by side."""

import json

import pytest

from infra.doctor.compare import certain_skew, check_room, compare_hosts, skew_of
from infra.doctor.finding import Severity, error
from infra.doctor.visit import Visit
from tests.infra.doctor.made import not_seen, stack, visit


def found(*visits: Visit) -> dict[str, list[str]]:
    compared = compare_hosts([one.host for one in visits], visits)
    return {
        name: [f"{one.severity} {one.id}: {one.what}" for one in found] for name, found in compared.items()
    }


def test_hosts_that_share_nothing_have_no_finding() -> None:
    assert found(visit(1, role="server"), visit(2), visit(3)) == {"pi1": [], "pi2": [], "pi3": []}


def test_one_machine_under_two_addresses_is_told_as_that_alone() -> None:
    twin = visit(2, hostname="pi1", machineId="id-1", bootId="boot-1")
    assert found(visit(1), twin)["pi2"] == ["error address: it is the same machine as pi1 (198.51.100.1)"]


def test_a_copied_card_is_told_by_name_and_id() -> None:
    copy = visit(2, hostname="pi1", machineId="id-1")
    assert found(visit(1), copy)["pi2"] == [
        "error hostname: the hostname pi1 is already taken by pi1 (198.51.100.1)",
        "error machine-id: /etc/machine-id is the same as that of pi1 (198.51.100.1)",
    ]


def test_an_id_that_would_come_back_is_told_while_the_ids_still_differ() -> None:
    first, second = visit(1, dbusMachineId="old"), visit(2, dbusMachineId="old")
    assert found(first, second)["pi2"] == [
        "warning machine-id: /var/lib/dbus/machine-id still holds the id of the card it was copied from"
    ]


def test_empty_ids_are_not_the_same_id() -> None:
    assert found(visit(1, machineId=None), visit(2, machineId=None)) == {"pi1": [], "pi2": []}


def test_a_host_that_was_not_seen_is_compared_with_nobody() -> None:
    gone = not_seen(2, error("reachable", "", "", ""))
    assert found(visit(1), gone) == {"pi1": [], "pi2": []}


@pytest.mark.parametrize(
    ("ahead", "severity", "words"),
    [(3600, "error", "s ahead of"), (-3600, "error", "s behind"), (60, "warning", "s ahead of")],
)
def test_a_wrong_clock_is_compared_with_this_machine_and_with_the_server(
    ahead: float, severity: str, words: str
) -> None:
    findings = found(visit(1, role="server"), visit(2, ahead=ahead))
    assert findings["pi1"] == []
    this_machine, server = findings["pi2"]
    for text in (this_machine, server):
        assert text.startswith(f"{severity} clock")
        assert words in text
    assert "this machine" in this_machine
    assert "the server pi1" in server


def test_some_seconds_are_no_finding() -> None:
    assert found(visit(1, role="server"), visit(2, ahead=20)) == {"pi1": [], "pi2": []}


def test_a_clock_that_the_host_itself_found_wrong_is_not_told_again() -> None:
    wrong = visit(2, error("clock", "2020", "", ""), ahead=-3600)
    assert found(visit(1, role="server"), wrong)["pi2"] == []


def test_a_slow_connection_makes_no_skew() -> None:
    low, high = skew_of(visit(1))
    assert low <= 0 <= high
    assert certain_skew(low, high) == 0
    assert certain_skew(2.0, 5.0) == 2.0
    assert certain_skew(-5.0, -2.0) == -2.0


def test_workers_that_do_not_fit_what_the_hosts_have_are_told_with_the_key() -> None:
    small = stack("server", "agent", workers=3)
    findings = check_room(small, [visit(1), visit(2)])
    assert [one.severity for one in findings] == [Severity.ERROR]
    assert findings[0].what.startswith("piray:workers = 3 ")
    assert check_room(stack("server", "agent", workers=1), [visit(1), visit(2)]) == []


def test_what_the_config_says_of_a_host_counts_before_what_was_found() -> None:
    given = stack("server", "agent", workers=1)
    given.values["hosts"][1]["cpus"] = 2
    assert check_room(given, [visit(1), visit(2)])


def test_hosts_as_pulumi_hands_them_over_are_text() -> None:
    given = stack("server", "agent", workers=3)
    as_text = {**given.values, "hosts": json.dumps(given.values["hosts"])}
    text = type(given)(name="home", config=given.config, values=as_text, secret_keys=frozenset())
    assert check_room(text, [visit(1), visit(2)])


def test_a_host_that_was_not_seen_may_have_all_the_room_it_needs() -> None:
    assert check_room(stack("server", "agent", workers=3), [visit(1), not_seen(2)]) == []
