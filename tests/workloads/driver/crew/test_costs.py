"""What is measured of the way to another node."""

from types import SimpleNamespace
from typing import Any

import pytest
import ray

from workloads.driver.crew import costs


def crew(*shared: bool) -> Any:
    """Return as much of a crew as is asked: an actor on the driver's node, or on another one."""
    actor = SimpleNamespace(ping="ping", send="send")
    return SimpleNamespace(call_s=1e-3, slots=[SimpleNamespace(actor=actor, shared=one) for one in shared])


def test_without_another_node_there_is_no_way_to_it() -> None:
    found = costs.measure(crew(True, True))
    assert (found.latency_s, found.link_bytes_s) == (None, None)
    assert found.copy_bytes_s > 0


def test_the_way_is_what_a_call_takes_longer_than_its_cost_and_the_link_what_bytes_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(costs, "_seconds", lambda method, *_: {"ping": 5e-3, "send": 0.105}[method])
    found = costs.measure(crew(True, False))
    assert found.latency_s == pytest.approx(2e-3)
    assert found.link_bytes_s == pytest.approx(costs.LINK_BYTES / 0.1)


def test_a_way_takes_time_also_where_a_call_costs_more_than_the_fastest_trip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(costs, "_seconds", lambda method, *_: {"ping": 8e-4, "send": 0.105}[method])
    assert costs.measure(crew(False)).latency_s == pytest.approx(2e-4)


def test_a_worker_that_is_lost_meanwhile_does_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> float:
        raise ray.exceptions.RayActorError

    monkeypatch.setattr(costs, "_seconds", lost)
    assert costs.measure(crew(False)).link_bytes_s is None
