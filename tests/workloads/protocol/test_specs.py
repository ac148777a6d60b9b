"""What a runner asks arrives as it was, and whatever is wrong with it is said at once."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.protocol.specs import (
    ConnectivitySpec,
    MandelbrotSpec,
    NodesSpec,
    PiSpec,
    Request,
    Spec,
    SpecError,
    SweepSpec,
    read,
)

KNOWN: dict[str, type[Spec]] = {
    kind.workload: kind for kind in (MandelbrotSpec, SweepSpec, PiSpec, ConnectivitySpec, NodesSpec)
}
NUMBERS = st.integers(min_value=1, max_value=10**9)
WORKERS = st.none() | NUMBERS
PLANS = st.dictionaries(st.text(), NUMBERS | st.text() | st.booleans())
SPECS: st.SearchStrategy[Spec] = (
    st.builds(MandelbrotSpec, plan=PLANS, repeats=NUMBERS, workers=WORKERS)
    | st.builds(SweepSpec, seconds=st.floats(0.01, 100) | NUMBERS, repeats=NUMBERS, workers=WORKERS)
    | st.builds(PiSpec, completions=NUMBERS, samples=NUMBERS, seed=NUMBERS)
    | st.builds(ConnectivitySpec, rounds=NUMBERS, tasks=NUMBERS)
    | st.builds(NodesSpec, tasks=NUMBERS, seconds=st.floats(0, 100) | NUMBERS)
)
REQUESTS = st.builds(
    Request, spec=SPECS, expected=NUMBERS, cpus=st.none() | NUMBERS, temp_dir=st.none() | st.text()
)


def request(**changes: Any) -> dict[str, Any]:
    spec = PiSpec(completions=3, samples=10, seed=0)
    return {**Request(spec=spec, expected=4, cpus=None, temp_dir=None).to_dict(), **changes}


def problems(values: object) -> str:
    with pytest.raises(SpecError) as caught:
        read(json.dumps(values), KNOWN)
    return str(caught.value)


@given(REQUESTS)
def test_a_request_arrives_as_it_was_sent(sent: Request) -> None:
    assert read(json.dumps(sent.to_dict()), KNOWN) == sent


def test_everything_that_is_wrong_is_named_at_once_with_the_likely_cause() -> None:
    spec = {"completions": "3", "samples": True, "sneed": 0}
    values = request(spec=spec, expected=1.5, cpus="all", host="pi1")
    del values["temp_dir"]
    message = problems(values)
    assert "\n" not in message
    for part in (
        "host is unknown",
        "temp_dir is missing",
        "expected is 1.5 and must be a whole number",
        "cpus is 'all' and must be a whole number or null",
        "spec.sneed is unknown",
        "spec.seed is missing",
        "spec.completions is '3' and must be a whole number",
        "spec.samples is True and must be a whole number",
        "different versions",
    ):
        assert part in message


def test_a_workload_that_the_driver_does_not_know_is_named_with_those_it_knows() -> None:
    message = problems(request(workload="tetris"))
    assert "workload is 'tetris' and must be one of mandelbrot, sweep, pi, connectivity" in message


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"text"'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="does not understand what it was asked: it is"):
        read(text, KNOWN)


@pytest.mark.parametrize("values", [{}, {"workload": None}, {"workload": ["pi"], "spec": 3}])
def test_what_lacks_a_workload_or_a_spec_is_refused(values: dict[str, Any]) -> None:
    message = problems(values)
    assert "workload" in message
    assert "spec" in message
