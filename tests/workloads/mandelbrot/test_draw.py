"""Bands and whole pictures, drawn in colours by one process."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drawing import colour_indices
from tests.workloads.mandelbrot.pictures import SMALL, plans, values_of
from workloads.mandelbrot import draw
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.draw import compute_band, warm_up
from workloads.mandelbrot.plan import Band, Plan


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
