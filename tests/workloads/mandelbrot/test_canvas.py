"""The file that holds a picture while it is put together."""

import io
import itertools
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drawing import drawn
from workloads.mandelbrot import canvas as module
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.plan import Band, Plan

PLAN = Plan(x_grids=2, y_grids=2, grid_width=20, grid_height=15)


def packed(canvas: Canvas) -> io.BytesIO:
    return io.BytesIO(b"".join(canvas.packed()))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_bands_are_put_where_they_belong_in_any_order(data: st.DataObject) -> None:
    expected = np.arange(PLAN.width * PLAN.height, dtype=np.uint16).astype(np.uint8).reshape(PLAN.height, -1)
    rows = sorted({0, PLAN.height, *data.draw(st.sets(st.integers(1, PLAN.height - 1), max_size=5))})
    columns = sorted({0, PLAN.width, *data.draw(st.sets(st.integers(1, PLAN.width - 1), max_size=3))})
    bands = [Band(*ys, *xs) for ys in itertools.pairwise(rows) for xs in itertools.pairwise(columns)]
    with Canvas(PLAN) as canvas:
        for band in data.draw(st.permutations(bands)):
            part = expected[band.first : band.end, band.left : band.right]
            canvas.place(band, np.ascontiguousarray(part))
        np.testing.assert_array_equal(canvas.rows(0, PLAN.height), expected)


def test_a_cleared_canvas_is_empty() -> None:
    with drawn(PLAN) as canvas:
        assert canvas.rows(0, PLAN.height).any()
        canvas.clear()
        assert not canvas.rows(0, PLAN.height).any()


@pytest.mark.parametrize("piece_bytes", [7, 1000, 2**22])
def test_a_picture_travels_in_pieces(piece_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", piece_bytes)
    with drawn(PLAN) as canvas, Canvas.unpack(packed(canvas), PLAN) as other:
        assert other.digest() == canvas.digest()
        np.testing.assert_array_equal(other.rows(0, PLAN.height), canvas.rows(0, PLAN.height))


def test_pictures_that_differ_have_different_digests() -> None:
    with drawn(PLAN) as canvas:
        before = canvas.digest()
        canvas.place(Band(29, 30, 39, 40), 255 - canvas.rows(29, 30)[:, 39:].copy())
        assert canvas.digest() != before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zlib.compress(bytes(1000)), "1000 pixels, the plan says 1200"),
        (zlib.compress(bytes(1300)), "1300 pixels, the plan says 1200"),
        (zlib.compress(bytes(1200))[:-6], "pixels, the plan says 1200|damaged"),
        (b"no picture", "damaged"),
    ],
)
def test_another_picture_or_a_damaged_one_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Canvas.unpack(io.BytesIO(content), PLAN)
