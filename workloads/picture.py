"""Decides what a picture looks like as a file: palette, orientation, square pixels."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workloads.colour import COLOURS
from workloads.files import replace_file
from workloads.plan import Plan

# The first write-up's colours.
COLOUR_MAP = "rainbow"


def encode_png(indices: NDArray[np.uint8], plan: Plan) -> bytes:
    """Encode a coloured picture as a PNG with a palette; the same picture gives the same bytes.

    The imaginary axis points up. Pixels of the file are square in the plane: the axis that is sampled more
    densely is reduced, and the other one never enlarged. So the write-up's 3200 x 3200 samples of a window of
    3 by 2 become 3200 x 2133 pixels.

    Args:
        indices: Palette indices of shape (plan.height, plan.width); row 0 is view.y_min.
        plan: The plan they belong to.

    Raises:
        ValueError: If the picture has another shape than the plan says.
    """
    if indices.shape != (plan.height, plan.width):
        raise ValueError(
            f"The picture has shape {indices.shape}, the plan says ({plan.height}, {plan.width})."
        )
    image = Image.fromarray(np.flipud(indices))
    # Averaging indices is averaging values, because the palette runs in the order of the values.
    image = image.resize(_square_pixels(plan), Image.Resampling.BILINEAR)
    colours = mpl.colormaps[COLOUR_MAP](np.arange(COLOURS), bytes=True)[:, :3]
    image.putpalette(colours.tobytes())
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def write_png(path: Path, indices: NDArray[np.uint8], plan: Plan) -> None:
    """Write the picture of `encode_png`; an older file is replaced only by a whole one.

    Raises:
        FileError: If the file cannot be written.
        ValueError: If the picture has another shape than the plan says.
    """
    replace_file(path, encode_png(indices, plan))


def _square_pixels(plan: Plan) -> tuple[int, int]:
    """Return columns and rows of the file."""
    ratio = (plan.view.y_max - plan.view.y_min) / (plan.view.x_max - plan.view.x_min)
    height = max(1, round(plan.width * ratio))
    if height <= plan.height:
        return plan.width, height
    return max(1, round(plan.height / ratio)), plan.height
