"""The kernel against its reference and the write-up's code; the plan against its rules."""

import itertools
import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.peers.article import article_values
from workloads.mandelbrot import draw, kernel
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.codegen.vectors import Shape
from workloads.mandelbrot.draw import (
    Band,
    KernelMismatch,
    Plan,
    Tile,
    View,
    check_kernel,
    compute_band,
    compute_tile,
    reference_tile,
    scalar_tile,
    warm_up,
)
from workloads.mandelbrot.kernel import smooth_values
from workloads.mandelbrot.palette import colour_indices

SMALL = Plan(x_grids=4, y_grids=4, grid_width=25, grid_height=25)
# float32 holds values up to 43 to within 2e-6; the kernel's two logarithms are good for as much.
INTERIOR_TOLERANCE = 1e-5
ESCAPED_TOLERANCE = 6e-6
# After 32 iterations rounding has grown to 2e-7 at most in the whole picture of the write-up.
SCALAR_TOLERANCE = 1e-6


def grid_range(begin: float, end: float, n_grids: int) -> Iterator[tuple[float, float]]:
    ih, it = itertools.tee(np.linspace(begin, end, n_grids + 1))
    next(it)
    return ((h, t) for h, t in zip(ih, it, strict=False))


def values_of(plan: Plan) -> NDArray[np.float32]:
    """Return the smooth values of a picture, put together from its tiles."""
    image = np.empty((plan.height, plan.width), dtype=np.float32)
    for tile in plan.tiles():
        image[tile.y0 : tile.y0 + tile.height, tile.x0 : tile.x0 + tile.width] = compute_tile(plan, tile)
    return image


def write_up_picture(n_xg: int, n_yg: int, gw: int, gh: int) -> NDArray[np.float64]:
    """The first write-up's rendering, without Ray."""
    res = []
    xs = grid_range(-2, 1, n_xg)
    ys = grid_range(-1, 1, n_yg)
    for (xb, xe), (yb, ye) in itertools.product(xs, ys):
        x, y = np.meshgrid(np.linspace(xb, xe, gw), np.linspace(yb, ye, gh))
        c = x + 1j * y
        res.append(article_values(c))
    return np.concatenate(np.concatenate(np.array(res).reshape(n_yg, n_xg, gh, gw), axis=2), axis=0)


@pytest.mark.parametrize(("grids", "side"), [(4, 25), (8, 40), (32, 10)])
def test_the_picture_is_the_write_ups_wherever_that_is_finite(grids: int, side: int) -> None:
    plan = Plan(x_grids=grids, y_grids=grids, grid_width=side, grid_height=side)
    image, expected = values_of(plan), write_up_picture(grids, grids, side, side)
    assert np.isfinite(image).all()
    finite = np.isfinite(expected)
    # 201 is where |z| of a pixel that just has not escaped would stop.
    escaped = finite & (expected < 31 - np.log2(np.log2(201.0)))
    assert escaped.any()
    np.testing.assert_allclose(image[escaped], expected[escaped], rtol=0, atol=ESCAPED_TOLERANCE)
    np.testing.assert_allclose(image[finite], expected[finite], rtol=0, atol=INTERIOR_TOLERANCE)


def test_the_reference_is_the_write_ups_code_bit_for_bit() -> None:
    expected = write_up_picture(4, 4, 25, 25)
    finite = np.isfinite(expected)
    for tile in SMALL.tiles():
        part = np.s_[tile.y0 : tile.y0 + tile.height, tile.x0 : tile.x0 + tile.width]
        found = np.where(finite[part], reference_tile(SMALL, tile), np.inf)
        np.testing.assert_array_equal(found, expected[part])


def test_escape_counts_are_the_references() -> None:
    """At a threshold of 2 the value jumps from one count to the next, so equal values are equal counts."""
    plan = replace(SMALL, threshold=2.0)
    for tile in plan.tiles():
        expected = reference_tile(plan, tile)
        assert np.abs(compute_tile(plan, tile) - expected).max() < INTERIOR_TOLERANCE
        assert np.abs(scalar_tile(plan, tile) - expected).max() < SCALAR_TOLERANCE


@pytest.mark.parametrize("centre", [0.0, -1.0])
def test_where_z_is_zero_kernel_and_reference_use_the_same_floor(centre: float) -> None:
    plan = Plan(
        x_grids=1, y_grids=1, grid_width=3, grid_height=3, view=View(centre - 0.5, centre + 0.5, -0.5, 0.5)
    )
    tile = next(plan.tiles())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = reference_tile(plan, tile)[1, 1]
        assert scalar_tile(plan, tile)[1, 1] == expected == pytest.approx(31 - np.log2(np.log2(1 + 2.0**-52)))
        assert compute_tile(plan, tile)[1, 1] == pytest.approx(expected, abs=INTERIOR_TOLERANCE)


def test_known_points_have_known_values() -> None:
    plan = Plan(x_grids=1, y_grids=1, grid_width=2, grid_height=1, view=View(-2.0, 1.0, 0.0, 1.0))
    at_minus_two, at_one = compute_tile(plan, next(plan.tiles()))[0]
    # c = -2 runs 0, -2, 2, 2, ... for ever; c = 1 runs 0, 1, 2, 5, 26, 677.
    assert at_minus_two == pytest.approx(31 - np.log2(np.log2(3.0)), abs=ESCAPED_TOLERANCE)
    assert at_one == pytest.approx(4 - np.log2(np.log2(678.0)), abs=ESCAPED_TOLERANCE)


def test_a_point_exactly_on_the_threshold_has_not_escaped() -> None:
    plan = Plan(
        x_grids=1, y_grids=1, grid_width=1, grid_height=1, view=View(200.0, 201.0, 0.0, 1.0), max_iterations=9
    )
    tile = next(plan.tiles())
    # z runs 0, 200, 40200: the last index that finds |z| within 200 is 1.
    assert compute_tile(plan, tile)[0, 0] == pytest.approx(
        1 - np.log2(np.log2(40201.0)), abs=ESCAPED_TOLERANCE
    )
    assert reference_tile(plan, tile)[0, 0] == pytest.approx(scalar_tile(plan, tile)[0, 0], abs=1e-12)


def test_a_whole_number_as_threshold_gives_the_same_picture() -> None:
    np.testing.assert_array_equal(values_of(replace(SMALL, threshold=200)), values_of(SMALL))


@pytest.mark.parametrize("threshold", [2.0, 3.0, 200.0, 1e6])
@pytest.mark.parametrize("max_iterations", [1, 2, 3, 5, 12, 13, 40])
def test_fast_and_readable_kernel_agree_whatever_the_limits(threshold: float, max_iterations: int) -> None:
    plan = Plan(2, 1, 37, 53, View(-2.5, 1.5, -1.7, 1.7), max_iterations=max_iterations, threshold=threshold)
    for tile in plan.tiles():
        np.testing.assert_allclose(compute_tile(plan, tile), scalar_tile(plan, tile), rtol=0, atol=1e-5)


@pytest.mark.parametrize("threshold", [2.0, 200.0, 1e6])
def test_the_preview_is_wrong_only_near_the_border(threshold: float) -> None:
    plan = replace(SMALL, threshold=threshold)
    difference = np.abs(values_of(replace(plan, preview=True)) - values_of(plan))
    assert (difference > 1e-6).any()
    assert (difference > 1e-2).mean() < 0.02


@pytest.mark.parametrize(
    "shape",
    [
        Shape(2, 8),
        Shape(4, 4),
        Shape(8, 8),
        Shape(8, 2),
        Shape(8, 8, adders=True),
        Shape(8, 8, blind_steps=6),
    ],
)
def test_every_shape_of_blocks_gives_the_same_picture(shape: Shape) -> None:
    tile = next(SMALL.tiles())
    x, y = draw._samples(tile)
    values = np.empty((tile.height, tile.width), dtype=np.float32)
    run = kernel._kernel_with(shape, kernel._smooth)
    kernel._fill(run, shape, (x, y), (32, 200.0), values)
    np.testing.assert_array_equal(values, compute_tile(SMALL, tile))


plans = st.builds(
    lambda xg, yg, gw, gh, x, y, span_x, span_y, n: Plan(
        xg, yg, gw, gh, View(x, x + span_x, y, y + span_y), max_iterations=n
    ),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 7),
    st.integers(1, 7),
    st.floats(-2.5, 1.0),
    st.floats(-1.5, 1.0),
    st.floats(1e-3, 3.0),
    st.floats(1e-3, 3.0),
    st.integers(1, 60),
)


@given(plans)
@settings(max_examples=60, deadline=None)
def test_tiles_cover_the_picture_exactly_once(plan: Plan) -> None:
    covered = np.zeros((plan.height, plan.width), dtype=int)
    tiles = list(plan.tiles())
    for tile in tiles:
        covered[tile.y0 : tile.y0 + tile.height, tile.x0 : tile.x0 + tile.width] += 1
    assert (covered == 1).all()
    assert len(tiles) == len({(tile.row, tile.col) for tile in tiles}) == plan.x_grids * plan.y_grids


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


@given(plans)
@settings(max_examples=60, deadline=None)
def test_the_check_passes_on_every_plan(plan: Plan) -> None:
    check_kernel(plan)


@pytest.mark.parametrize(
    ("view", "max_iterations"),
    [
        (View(-2.0, -2.0 + 1e-7, -1e-7, 1e-7), 500),
        (View(-0.745, -0.744, 0.1, 0.101), 1000),
        (View(-2.5, 2.5, -2.5, 2.5), 100_000),
    ],
)
def test_the_check_passes_where_rounding_errors_grow(view: View, max_iterations: int) -> None:
    check_kernel(
        Plan(x_grids=3, y_grids=3, grid_width=40, grid_height=40, view=view, max_iterations=max_iterations)
    )


def test_the_check_leaves_almost_no_pixel_of_the_write_ups_picture_loose() -> None:
    loose = []
    for tile in SMALL.tiles():
        low, high = draw._reference_bounds(SMALL, tile)
        loose.append(high - low > INTERIOR_TOLERANCE)
    assert np.mean(loose) < 0.01


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values + 1e-4,
        lambda values: values[::-1],
        lambda values: np.where(values == values.max(), np.nan, values),
        np.floor,
    ],
)
def test_the_check_finds_a_wrong_kernel(spoil: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong_tile(plan: Plan, tile: Tile) -> NDArray[np.float32]:
        values: NDArray[np.float32] = spoil(compute_tile(plan, tile))
        return values

    monkeypatch.setattr(draw, "compute_tile", wrong_tile)
    with pytest.raises(KernelMismatch, match=r"tile \(\d+, \d+\), pixel \(\d+, \d+\)"):
        check_kernel(Plan())


@given(plans, st.data())
@settings(max_examples=60, deadline=None)
def test_a_band_is_what_the_tiles_have_there_in_colours(plan: Plan, data: st.DataObject) -> None:
    first, end = sorted(data.draw(st.sets(st.integers(0, plan.height), min_size=2, max_size=2)))
    left, right = sorted(data.draw(st.sets(st.integers(0, plan.width), min_size=2, max_size=2)))
    expected = colour_indices(values_of(plan), plan)[first:end, left:right]
    np.testing.assert_array_equal(compute_band(plan, Band(first, end, left, right)), expected)


def test_a_picture_drawn_alone_is_made_of_bands_and_progress_counts_its_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(draw, "PIECE_PIXELS", 900)
    pixels: list[int] = []
    with Canvas(SMALL) as canvas:
        draw.draw(canvas, pixels.append)
        np.testing.assert_array_equal(canvas.rows(0, SMALL.height), colour_indices(values_of(SMALL), SMALL))
    assert len(pixels) > 1
    assert sum(pixels) == SMALL.width * SMALL.height


def test_warming_up_takes_time_and_may_be_done_twice() -> None:
    assert warm_up() > 0
    assert warm_up() > 0


def test_the_default_plan_is_the_write_ups() -> None:
    plan = Plan()
    assert (plan.width, plan.height, plan.x_grids, plan.y_grids) == (3200, 3200, 32, 32)
    assert (plan.max_iterations, plan.threshold, plan.view) == (32, 200.0, View(-2.0, 1.0, -1.0, 1.0))
    order = [(tile.col, tile.row) for tile in plan.tiles()]
    assert order == list(itertools.product(range(32), range(32)))


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
