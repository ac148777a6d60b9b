"""A workload is a module and a line of the registry."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from workloads.driver import __main__ as driver
from workloads.driver import nodes
from workloads.driver.nodes import Node, Roster, WorkloadError
from workloads.driver.registry import WORKLOADS, line
from workloads.protocol.events import Emit, Event, decode
from workloads.protocol.specs import Request, Spec

HERE = Node(node_id="a", host="pi1", pod=None, name="pi1", cpus=4, is_head=True, facts={})


@dataclass(frozen=True, kw_only=True)
class CountSpec(Spec):
    """A toy: count to a number."""

    workload = "count"

    last: int


def run(spec: CountSpec, roster: Roster, emit: Emit) -> None:
    if spec.last < 0:
        raise WorkloadError(f"--last is {spec.last}: choose 0 or more.")
    emit(Event("result", {"numbers": list(range(spec.last + 1)), "nodes": len(roster.nodes)}))


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the toy by its line, and let a node be there without Ray."""

    @contextmanager
    def no_session(*_: object) -> Iterator[None]:
        yield

    monkeypatch.setitem(WORKLOADS, *line(CountSpec, run))
    monkeypatch.setattr(nodes, "session", no_session)
    monkeypatch.setattr(nodes, "find", lambda expected: Roster([HERE], expected))


def drive(capfd: pytest.CaptureFixture[str], values: dict[str, Any]) -> tuple[int, list[Event]]:
    code = driver.main([json.dumps(values)])
    events = [event for text in capfd.readouterr().out.splitlines() if (event := decode(text)) is not None]
    return code, events


def request(last: int) -> dict[str, Any]:
    return Request(spec=CountSpec(last=last), expected=1, cpus=None, temp_dir=None).to_dict()


def test_a_new_workload_runs_with_one_module_and_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    code, (first, result) = drive(capfd, request(3))
    assert code == 0
    assert first.kind == "nodes"
    assert first.values["nodes"][0]["name"] == "pi1"
    assert result == Event("result", {"numbers": [0, 1, 2, 3], "nodes": 1})


def test_what_a_workload_cannot_do_is_foreseen(capfd: pytest.CaptureFixture[str]) -> None:
    code, (_, error) = drive(capfd, request(-1))
    assert code == driver.EXIT_FAILED
    assert error == Event("error", {"message": "--last is -1: choose 0 or more.", "foreseen": True})


def test_a_key_that_is_missing_is_named_before_ray_is_asked_for_anything(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code, (error,) = drive(capfd, {**request(3), "spec": {}})
    assert code == driver.EXIT_WRONG_REQUEST
    assert error.values["foreseen"]
    assert "spec.last is missing" in error.values["message"]
    assert "different versions" in error.values["message"]


def test_a_plan_that_is_none_is_refused_as_a_request_that_is_wrong(capfd: pytest.CaptureFixture[str]) -> None:
    values = request(0) | {"workload": "mandelbrot", "spec": {"plan": {}, "repeats": 1, "workers": 0}}
    code, (_, error) = drive(capfd, values)
    assert code == driver.EXIT_WRONG_REQUEST
    assert "plan lacks the key 'grid_width': add it; " in error.values["message"]


def test_an_error_of_nobodys_is_told_with_its_kind(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("plan")

    monkeypatch.setitem(WORKLOADS, *line(CountSpec, fail))
    code, (_, error) = drive(capfd, request(3))
    assert code == driver.EXIT_FAILED
    assert error.values == {"message": "the driver failed: KeyError: 'plan'", "foreseen": False}
