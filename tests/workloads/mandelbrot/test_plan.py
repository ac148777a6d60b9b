"""What a picture is made of, and the rules of its plan."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.workloads.mandelbrot.pictures import grid_range, part_of, plans, tiles, values_of
from workloads.mandelbrot.kernel import smooth_values
from workloads.mandelbrot.plan import Plan, View


@given(plans)
@settings(max_examples=60, deadline=None)
def test_tiles_cover_the_picture_exactly_once(plan: Plan) -> None:
    covered = np.zeros((plan.height, plan.width), dtype=int)
    found = list(tiles(plan))
    for tile in found:
        covered[part_of(tile)] += 1
    assert (covered == 1).all()
    assert len(found) == len({(tile.row, tile.col) for tile in found}) == plan.x_grids * plan.y_grids


@given(plans)
@settings(max_examples=60, deadline=None)
def test_an_assembled_picture_is_the_whole_picture_sampled_at_once(plan: Plan) -> None:
    xs = [
        np.linspace(*ends, plan.grid_width)
        for ends in grid_range(plan.view.x_min, plan.view.x_max, plan.x_grids)
    ]
    ys = [
        np.linspace(*ends, plan.grid_height)
        for ends in grid_range(plan.view.y_min, plan.view.y_max, plan.y_grids)
    ]
    whole = np.empty((plan.height, plan.width), dtype=np.float32)
    smooth_values(np.concatenate(xs), np.concatenate(ys), plan.max_iterations, plan.threshold, whole)
    np.testing.assert_array_equal(values_of(plan), whole)
    np.testing.assert_array_equal(np.concatenate(xs), plan.x_samples())
    np.testing.assert_array_equal(np.concatenate(ys), plan.y_samples())
    assert np.isfinite(whole).all()


def test_the_default_plan_is_the_articles() -> None:
    plan = Plan()
    assert (plan.width, plan.height, plan.x_grids, plan.y_grids) == (3200, 3200, 32, 32)
    assert (plan.max_iterations, plan.threshold, plan.view) == (32, 200.0, View(-2.0, 1.0, -1.0, 1.0))


@given(plans)
@settings(max_examples=30, deadline=None)
def test_a_plan_survives_json(plan: Plan) -> None:
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_every_wrong_value_is_listed_at_once() -> None:
    with pytest.raises(ValueError, match="x_grids is 0") as caught:
        Plan(x_grids=0, grid_width=1.5, threshold=float("nan"), view=View(1, 0, float("inf"), 0))  # type: ignore[arg-type]  # the wrong type is the point
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "x_grids is 0",
        "grid_width is 1.5",
        "threshold is nan",
        "view.x_min is 1, view.x_max is 0",
        "view.y_min is inf",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x_grids": True}, "x_grids is True: choose a whole number from 1 to 4096"),
        ({"max_iterations": 100_001}, "max_iterations is 100001: choose a whole number"),
        ({"threshold": 1.0}, "threshold is 1.0: choose a number from 2"),
        ({"threshold": 10**400}, "choose a number from 2"),
        (
            {"grid_width": 4000, "x_grids": 300},
            "x_grids . grid_width is 1200000: choose at most 1048576 pixels",
        ),
        ({"grid_width": 2000, "grid_height": 2000}, "choose fewer or smaller tiles"),
        ({"view": View(0.5, 0.5 + 1e-14)}, "choose a wider view"),
    ],
)
def test_a_plan_that_cannot_be_computed_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(**values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": 3}, "unknown key 'iterations'"),
        ({"view": 3}, "view is 3"),
        ({"view": {"x_min": 0.0}}, "view lacks the key 'x_max'"),
    ],
)
def test_a_record_that_is_no_plan_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan.from_dict({**Plan().to_dict(), **change})
