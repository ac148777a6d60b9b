"""The kernel against its reference, the readable kernel and the article's code, and the check of it."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from tests.workloads.mandelbrot.pictures import (
    ESCAPED_TOLERANCE,
    INTERIOR_TOLERANCE,
    SMALL,
    article_picture,
    part_of,
    plans,
    reference_tile,
    scalar_tile,
    tiles,
    values_of,
)
from workloads.mandelbrot import kernel, reference
from workloads.mandelbrot.codegen.vectors import Shape
from workloads.mandelbrot.plan import Plan, Tile, View
from workloads.mandelbrot.reference import KernelMismatch, check_kernel, compute_tile

# After 32 iterations rounding has grown to 2e-7 at most in the whole picture of the article.
SCALAR_TOLERANCE = 1e-6


@pytest.mark.parametrize(("grids", "side"), [(4, 25), (8, 40), (32, 10)])
def test_the_picture_is_the_articles_wherever_that_is_finite(grids: int, side: int) -> None:
    plan = Plan(x_grids=grids, y_grids=grids, grid_width=side, grid_height=side)
    image, expected = values_of(plan), article_picture(grids, grids, side, side)
    assert np.isfinite(image).all()
    finite = np.isfinite(expected)
    # 201 is where |z| of a pixel that just has not escaped would stop.
    escaped = finite & (expected < 31 - np.log2(np.log2(201.0)))
    assert escaped.any()
    np.testing.assert_allclose(image[escaped], expected[escaped], rtol=0, atol=ESCAPED_TOLERANCE)
    np.testing.assert_allclose(image[finite], expected[finite], rtol=0, atol=INTERIOR_TOLERANCE)


def test_the_reference_is_the_articles_code_bit_for_bit() -> None:
    expected = article_picture(4, 4, 25, 25)
    finite = np.isfinite(expected)
    for tile in tiles(SMALL):
        part = part_of(tile)
        found = np.where(finite[part], reference_tile(SMALL, tile), np.inf)
        np.testing.assert_array_equal(found, expected[part])


def test_escape_counts_are_the_references() -> None:
    """At a threshold of 2 the value jumps from one count to the next, so equal values are equal counts."""
    plan = replace(SMALL, threshold=2.0)
    for tile in tiles(plan):
        expected = reference_tile(plan, tile)
        assert np.abs(compute_tile(plan, tile) - expected).max() < INTERIOR_TOLERANCE
        assert np.abs(scalar_tile(plan, tile) - expected).max() < SCALAR_TOLERANCE


@pytest.mark.parametrize("centre", [0.0, -1.0])
def test_where_z_is_zero_kernel_and_reference_use_the_same_floor(centre: float) -> None:
    plan = Plan(
        x_grids=1, y_grids=1, grid_width=3, grid_height=3, view=View(centre - 0.5, centre + 0.5, -0.5, 0.5)
    )
    tile = plan.tile(0, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = reference_tile(plan, tile)[1, 1]
        assert scalar_tile(plan, tile)[1, 1] == expected == pytest.approx(31 - np.log2(np.log2(1 + 2.0**-52)))
        assert compute_tile(plan, tile)[1, 1] == pytest.approx(expected, abs=INTERIOR_TOLERANCE)


def test_known_points_have_known_values() -> None:
    plan = Plan(x_grids=1, y_grids=1, grid_width=2, grid_height=1, view=View(-2.0, 1.0, 0.0, 1.0))
    at_minus_two, at_one = compute_tile(plan, plan.tile(0, 0))[0]
    # c = -2 runs 0, -2, 2, 2, ... for ever; c = 1 runs 0, 1, 2, 5, 26, 677.
    assert at_minus_two == pytest.approx(31 - np.log2(np.log2(3.0)), abs=ESCAPED_TOLERANCE)
    assert at_one == pytest.approx(4 - np.log2(np.log2(678.0)), abs=ESCAPED_TOLERANCE)


def test_a_point_exactly_on_the_threshold_has_not_escaped() -> None:
    plan = Plan(
        x_grids=1, y_grids=1, grid_width=1, grid_height=1, view=View(200.0, 201.0, 0.0, 1.0), max_iterations=9
    )
    tile = plan.tile(0, 0)
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
    for tile in tiles(plan):
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
        Shape(8, 8, blind_updates=6),
    ],
)
def test_every_shape_of_blocks_gives_the_same_picture(shape: Shape) -> None:
    tile = SMALL.tile(0, 0)
    x, y = tile.x_samples(), tile.y_samples()
    values = np.empty((tile.height, tile.width), dtype=np.float32)
    run = kernel._kernel_with(shape, kernel._smooth)
    kernel._fill(run, shape, (x, y), (32, 200.0), values)
    np.testing.assert_array_equal(values, compute_tile(SMALL, tile))


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


def test_the_check_leaves_almost_no_pixel_of_the_articles_picture_loose() -> None:
    loose = []
    for tile in tiles(SMALL):
        low, high = reference._reference_bounds(SMALL, tile)
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

    monkeypatch.setattr(reference, "compute_tile", wrong_tile)
    with pytest.raises(KernelMismatch, match=r"tile \(\d+, \d+\), pixel \(\d+, \d+\)"):
        check_kernel(Plan())
