"""Colours and PNG files."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from workloads.colour import colour_indices, pack, unpack
from workloads.files import FileError
from workloads.mandelbrot import Plan, View, compute_image, compute_tile
from workloads.picture import encode_png, write_png

SQUARE = Plan(x_grids=2, y_grids=2, grid_width=20, grid_height=20, view=View(-2.0, 1.0, -1.5, 1.5))


def decode(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def png_bytes(image: NDArray[np.float32], plan: Plan) -> bytes:
    return encode_png(colour_indices(image, plan), plan)


def test_a_png_holds_the_indices_and_the_palette() -> None:
    image = compute_image(SQUARE)
    png = decode(png_bytes(image, SQUARE))
    assert (png.format, png.mode, png.size) == ("PNG", "P", (40, 40))
    np.testing.assert_array_equal(np.asarray(png), np.flipud(colour_indices(image, SQUARE)))
    rainbow = mpl.colormaps["rainbow"](np.arange(256), bytes=True)[:, :3]
    np.testing.assert_array_equal(np.asarray(png.convert("RGB")), rainbow[np.asarray(png)])


def test_the_write_ups_window_gets_square_pixels_and_its_colours() -> None:
    plan = Plan(grid_width=10, grid_height=10)
    png = decode(png_bytes(compute_image(plan), plan)).convert("RGB")
    assert png.size == (320, 213)
    # Of the write-up's figure: violet outside, orange inside, and redder at the centre of the main disc.
    outside, inside, centre = (
        np.array(png.getpixel(at), dtype=int) for at in ((2, 2), (190, 60), (213, 106))
    )
    assert outside[2] > 240
    assert outside[1] < 40
    assert inside[0] > 245
    assert 140 < inside[1] < 200
    assert centre[0] > 245
    assert centre[1] < inside[1] - 20


def test_the_imaginary_axis_points_up() -> None:
    plan = Plan(x_grids=1, y_grids=2, grid_width=10, grid_height=5, view=View(-0.5, 0.5, 0.0, 1.0))
    pixels = np.asarray(decode(png_bytes(compute_image(plan), plan)))
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
    assert decode(png_bytes(compute_image(plan), plan)).size == size


def test_reducing_averages_neighbours() -> None:
    plan = Plan(x_grids=1, y_grids=1, grid_width=2, grid_height=3, view=View(0, 1, 0, 1))
    rows = np.array([[0, 9], [30, 9], [240, 9]], dtype=np.uint8)
    (upper, nine), (lower, other_nine) = np.asarray(decode(encode_png(rows, plan))).tolist()
    assert (nine, other_nine) == (9, 9)
    assert 0 < lower < 30 < upper < 240


def test_a_tile_is_coloured_alone_as_in_the_whole_picture() -> None:
    whole = colour_indices(compute_image(SQUARE), SQUARE)
    for tile in SQUARE.tiles():
        part = colour_indices(compute_tile(SQUARE, tile), SQUARE)
        np.testing.assert_array_equal(
            part, whole[tile.y0 : tile.y0 + tile.height, tile.x0 : tile.x0 + tile.width]
        )


def test_values_outside_the_range_get_the_nearest_colour() -> None:
    values = np.array([-3.0, 0.0, 42.999, 43.0, 82.5])
    assert colour_indices(values, Plan()).tolist() == [0, 0, 255, 255, 255]
    assert values.tolist() == [-3.0, 0.0, 42.999, 43.0, 82.5]


def test_a_picture_travels_as_its_indices() -> None:
    indices = colour_indices(compute_image(SQUARE), SQUARE)
    np.testing.assert_array_equal(unpack(pack(indices), SQUARE), indices)
    with pytest.raises(ValueError, match="1600 pixels, the plan says 10240000"):
        unpack(pack(indices), Plan())


def test_the_same_picture_gives_the_same_bytes() -> None:
    image = compute_image(SQUARE)
    assert png_bytes(image, SQUARE) == png_bytes(image.copy(), SQUARE)


def test_a_picture_of_another_plan_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(40, 40\), the plan says \(3200, 3200\)"):
        png_bytes(compute_image(SQUARE), Plan())


def test_writing_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "mandelbrot.png"
    target.write_bytes(b"old")
    image = compute_image(SQUARE)
    write_png(target, colour_indices(image, SQUARE), SQUARE)
    assert target.read_bytes() == png_bytes(image, SQUARE)
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"Cannot write .*missing.*a\.png.*folder that exists"):
        write_png(tmp_path / "missing" / "a.png", np.zeros((40, 40), dtype=np.uint8), SQUARE)
