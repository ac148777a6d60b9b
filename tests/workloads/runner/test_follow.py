"""What the runner makes of a driver's events."""

from collections.abc import Generator
from typing import Any

import pytest
from rich.console import Console

from workloads.protocol.events import Event, encode
from workloads.runner.follow import DriverReport, RunError, wait_for, watch

UNKNOWN = {"model": None, "throttled": None, "temperature_c": None, "cores": 4}
HOST = {"model": "Raspberry Pi 4 Model B Rev 1.4", "throttled": ["under-voltage"]}


def node(name: str, **machine: Any) -> dict[str, Any]:
    described = {"name": name, "host": name, "pod": f"ray-worker-{name}", "cpus": 4, "is_head": False}
    return {**described, "machine": {**UNKNOWN, **machine}}


def told(*events: Event) -> DriverReport:
    def pieces() -> Generator[str]:
        for event in events:
            yield f"{encode(event)}\n"

    return watch(pieces(), "pixels", Console(quiet=True))


def report(*nodes: dict[str, Any], after: list[dict[str, Any]] | None = None) -> DriverReport:
    events = [Event("nodes", {"nodes": list(nodes), "expected": len(nodes)}), Event("result", {"done": True})]
    if after is not None:
        events.insert(1, Event("after", {"nodes": after}))
    return told(*events)


def test_throttling_is_known_before_and_after_the_run() -> None:
    after = [{"name": "pi1", "throttled": "0x50005", "temperature_c": 81.2}]
    (facts,) = report(node("pi1", throttled="0x0"), after=after).node_facts({})
    assert (facts["throttled"], facts["throttled_after"]) == ("0x0", "0x50005")
    assert facts["temperature_after_c"] == 81.2


def test_a_node_that_was_lost_on_the_way_says_nothing_at_the_end() -> None:
    after = [{"name": "pi1", "throttled": "0x0", "temperature_c": 50.0}]
    _, lost = report(node("pi1"), node("pi2", throttled="0x0"), after=after).node_facts({})
    assert (lost["throttled"], lost["throttled_after"], lost["temperature_after_c"]) == ("0x0", None, None)


def test_the_stack_knows_of_a_host_what_a_container_cannot_see() -> None:
    facts, other = report(node("pi1"), node("pi2")).node_facts({"pi1": HOST})
    assert facts["model"] == HOST["model"]
    assert facts["throttled"] == ["under-voltage"]
    assert (other["model"], other["throttled"]) == (None, None)


def test_what_the_container_saw_itself_stays() -> None:
    (facts,) = report(node("pi1", model="Raspberry Pi 5", throttled="0x0")).node_facts({"pi1": HOST})
    assert (facts["model"], facts["throttled"]) == ("Raspberry Pi 5", "0x0")


def test_a_host_on_which_nobody_knows_of_throttling_stays_unknown() -> None:
    (facts,) = report(node("pi1")).node_facts({"pi1": {**HOST, "throttled": None}})
    assert facts["throttled"] is None


def test_the_pod_of_a_node_is_a_field_of_its_own() -> None:
    (facts,) = report(node("pi1")).node_facts({})
    assert (facts["name"], facts["host"], facts["pod"]) == ("pi1", "pi1", "ray-worker-pi1")


def test_a_foreseen_error_is_told_without_the_drivers_log() -> None:
    with pytest.raises(RunError, match="choose fewer") as caught:
        told(Event("error", {"message": "choose fewer samples.", "foreseen": True}))
    assert caught.value.log == ()


def test_a_driver_that_ends_without_a_result_is_refused() -> None:
    with pytest.raises(RunError, match="ended without a result"):
        told(Event("nodes", {"nodes": [], "expected": 0}))


def test_a_driver_goes_on_when_it_has_told_what_was_waited_for() -> None:
    ended = []

    def pieces() -> Generator[str]:
        try:
            yield f"{encode(Event('nodes', {'nodes': [], 'expected': 0}))}\n"
            yield f"{encode(Event('serving', {'url': 'http://here'}))}\n"
            yield "never read\n"
        finally:
            ended.append(True)

    driver = pieces()
    assert wait_for(driver, "serving").values == {"url": "http://here"}
    assert not ended
    driver.close()
    assert ended


def test_a_driver_that_ends_before_tells_why() -> None:
    def pieces(*events: Event) -> Generator[str]:
        yield from (f"{encode(event)}\n" for event in events)

    with pytest.raises(RunError, match="Ray cannot be reached"):
        wait_for(pieces(Event("error", {"message": "Ray cannot be reached", "foreseen": True})), "serving")
    with pytest.raises(RunError, match="the driver ended without a result"):
        wait_for(pieces(), "serving")
