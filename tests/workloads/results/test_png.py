"""Colours and PNG files."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.drawing import colour_indices, drawn, png
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.palette import rainbow
from workloads.mandelbrot.plan import Band, Plan, View
from workloads.results import png as png_module
from workloads.results.files import FileError
from workloads.results.png import write_png

SQUARE = Plan(x_grids=2, y_grids=2, grid_width=20, grid_height=20, view=View(-2.0, 1.0, -1.5, 1.5))


def decode(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def indices(canvas: Canvas) -> NDArray[np.uint8]:
    return canvas.rows(0, canvas.plan.height)


def test_a_png_holds_the_indices_and_the_palette() -> None:
    canvas = drawn(SQUARE)
    image = decode(png(canvas))
    assert (image.format, image.mode, image.size) == ("PNG", "P", (40, 40))
    np.testing.assert_array_equal(np.asarray(image), np.flipud(indices(canvas)))
    rainbow = mpl.colormaps["rainbow"](np.arange(256), bytes=True)[:, :3]
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), rainbow[np.asarray(image)])


def test_the_palette_is_matplotlibs_rainbow_byte_for_byte() -> None:
    expected = mpl.colormaps["rainbow"](np.arange(256), bytes=True)[:, :3]
    assert rainbow().dtype == expected.dtype
    np.testing.assert_array_equal(rainbow(), expected)


def test_the_articles_window_gets_square_pixels_and_its_colours() -> None:
    plan = Plan(grid_width=10, grid_height=10)
    image = decode(png(drawn(plan))).convert("RGB")
    assert image.size == (320, 213)
    # Of the article's figure: violet outside, orange inside, and redder at the centre of the main disc.
    outside, inside, centre = (
        np.array(image.getpixel(at), dtype=int) for at in ((2, 2), (190, 60), (213, 106))
    )
    assert outside[2] > 240
    assert outside[1] < 40
    assert inside[0] > 245
    assert 140 < inside[1] < 200
    assert centre[0] > 245
    assert centre[1] < inside[1] - 20


def test_the_imaginary_axis_points_up() -> None:
    plan = Plan(x_grids=1, y_grids=2, grid_width=10, grid_height=5, view=View(-0.5, 0.5, 0.0, 1.0))
    pixels = np.asarray(decode(png(drawn(plan))))
    # The real axis is inside the set, the points at i + x outside.
    assert pixels[-1, 0] > 150 > pixels[0, -1]


@pytest.mark.parametrize(
    ("view", "size"),
    [
        (View(-2, 1, -1.5, 1.5), (40, 40)),
        (View(-2, 1, -1, 1), (40, 27)),
        (View(-1, 0, -1, 1), (20, 40)),
        (View(-1, 1, 0, 1e-3), (40, 1)),
    ],
)
def test_the_denser_axis_is_reduced(view: View, size: tuple[int, int]) -> None:
    plan = Plan(x_grids=1, y_grids=1, grid_width=40, grid_height=40, view=view)
    assert decode(png(drawn(plan))).size == size


def test_reducing_averages_neighbours() -> None:
    plan = Plan(x_grids=1, y_grids=1, grid_width=2, grid_height=3, view=View(0, 1, 0, 1))
    rows = np.array([[0, 9], [30, 9], [240, 9]], dtype=np.uint8)
    canvas = Canvas(plan)
    canvas.place(Band(0, 3, 0, 2), rows)
    (upper, nine), (lower, other_nine) = np.asarray(decode(png(canvas))).tolist()
    assert (nine, other_nine) == (9, 9)
    assert 0 < lower < 30 < upper < 240


@pytest.mark.parametrize("size", [(40, 40), (133, 71), (71, 133)])
def test_a_picture_written_part_by_part_is_the_one_written_at_once(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(x_grids=1, y_grids=1, grid_width=size[0], grid_height=size[1], view=View(-2, 1, -1.2, 1.2))
    canvas = drawn(plan)
    at_once = decode(png(canvas))
    monkeypatch.setattr(png_module, "PIECE_PIXELS", 1000)
    np.testing.assert_array_equal(np.asarray(decode(png(canvas))), np.asarray(at_once))


def test_values_outside_the_range_get_the_nearest_colour() -> None:
    values = np.array([[-3.0, 0.0, 42.999, 43.0, 82.5]], dtype=np.float32)
    assert colour_indices(values, Plan()).tolist() == [[0, 0, 255, 255, 255]]
    assert values.tolist() == [[-3.0, 0.0, np.float32(42.999), 43.0, 82.5]]


def test_the_same_picture_gives_the_same_bytes() -> None:
    assert png(drawn(SQUARE)) == png(drawn(SQUARE))


def test_writing_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "mandelbrot.png"
    target.write_bytes(b"old")
    canvas = drawn(SQUARE)
    write_png(target, canvas)
    assert target.read_bytes() == png(canvas)
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"Cannot write .*missing.*a\.png.*folder that exists"):
        write_png(tmp_path / "missing" / "a.png", drawn(SQUARE))
