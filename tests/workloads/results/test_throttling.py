"""What is said of Raspberry Pis that were slowed down."""

from typing import Any

import pytest

from tests.workloads.results.made import flat, pi_result, shown
from workloads.results.throttling import warnings


def test_throttled_machines_are_warned_of() -> None:
    assert "throttling" not in shown(pi_result())
    text = flat(shown(pi_result(nodes=({"throttled": "0x50005"}, {"throttled": None}))))
    assert "reports throttling (0x50005)" in text


def warned(**facts: Any) -> str:
    (text,) = warnings([{"name": "pi2", **facts}])
    return text


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"throttled": None, "throttled_after": None},
        {"throttled": "0x0", "throttled_after": "0x0", "temperature_after_c": 50.0},
        {"throttled": [], "throttled_after": "0x0"},
        {"throttled": []},
    ],
)
def test_nothing_is_said_of_a_machine_that_was_not_slowed_down(facts: dict[str, Any]) -> None:
    assert warnings([facts]) == []


@pytest.mark.parametrize(
    ("bit", "event"),
    [(0, "under-voltage"), (1, "frequency capped"), (2, "throttled"), (3, "temperature limit")],
)
@pytest.mark.parametrize("first", [0, 16])
def test_each_flag_has_its_word(bit: int, event: str, first: int) -> None:
    text = warned(throttled="0x0", throttled_after=hex(1 << bit + first))
    assert f": {event} during this run." in text


def test_what_is_new_since_the_run_began_happened_during_it() -> None:
    text = warned(throttled="0x10000", throttled_after="0x90008")
    assert "pi2 reports throttling (0x10000 and then 0x90008): temperature limit during this run; " in text
    assert "under-voltage before this run, and perhaps again." in text


def test_what_lasts_until_the_end_happened_during_the_run_even_if_it_began_before() -> None:
    text = warned(throttled="0x50005", throttled_after="0x50005")
    assert "under-voltage, throttled during this run." in text
    assert "before" not in text


@pytest.mark.parametrize("facts", [{"throttled": "0x40000"}, {"throttled_after": "0x40000"}])
def test_a_single_look_does_not_tell_when(facts: dict[str, Any]) -> None:
    assert "(0x40000): throttled before or during this run." in warned(**facts)


def test_what_the_stack_knows_of_a_host_is_named_too() -> None:
    text = warned(throttled=["under-voltage", "frequency-capped"], throttled_after=None)
    assert "pi2 reports throttling: under-voltage, frequency capped before or during this run." in text
    text = warned(throttled=["under-voltage", "temperature-limit"], throttled_after="0xc0004")
    assert "(0xc0004): throttled during this run; under-voltage, temperature limit before or during" in text
    assert "the moon before" in warned(throttled=["the moon"])


@pytest.mark.parametrize(
    ("flags", "remedy"),
    [
        ("0x1", "give it a better power supply and cable, restart it and run again"),
        ("0x8", "give it better cooling, restart it and run again"),
        ("0x9", "give it a better power supply and cable and better cooling"),
        ("0x4", "give it a better power supply and cable and better cooling"),
    ],
)
def test_the_remedy_is_that_of_what_happened(flags: str, remedy: str) -> None:
    assert remedy in warned(throttled="0x0", throttled_after=flags)


def test_the_temperature_at_the_end_is_said_where_it_is_known() -> None:
    assert "It had 84 degrees Celsius at the end." in warned(throttled="0x8", temperature_after_c=83.7)
    assert "Celsius" not in warned(throttled="0x8", temperature_after_c=None)


def test_each_machine_is_warned_of_by_name() -> None:
    found = warnings(
        [{"throttled": "0x1"}, {"name": "pi1", "throttled": "0x0"}, {"name": "pi3", "throttled": "0x4"}]
    )
    assert [text.split(" reports")[0] for text in found] == ["Warning: This machine", "Warning: pi3"]
