"""A demo is found by its name, and what it lacks is named."""

import sys

import pytest

from workloads.driver.nodes import Roster, WorkloadError
from workloads.driver.programs import demo
from workloads.protocol.specs import DemoSpec


def test_a_demo_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(WorkloadError, match="no demo 'dance': choose one of tasks, actors"):
        demo.run(DemoSpec(name="dance"), Roster([], 1), lambda _: None)


def test_a_package_that_the_image_lacks_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = [name for name in sys.modules if name.startswith(("ray.serve", "workloads.driver.demos.serve"))]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    # Python's way to say that a module is not there.
    monkeypatch.setitem(sys.modules, "starlette", None)
    with pytest.raises(WorkloadError, match=r"needs the Python package starlette\b.*images/ray/Dockerfile"):
        demo.run(DemoSpec(name="serve"), Roster([], 1), lambda _: None)
