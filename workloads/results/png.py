"""Decides what a picture looks like as a file: orientation, square pixels."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import png
from numpy.typing import NDArray
from PIL import Image

from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.palette import rainbow
from workloads.mandelbrot.plan import Plan
from workloads.results.files import replacing

# Pixels of the canvas that are in memory at once.
PIECE_PIXELS = 2**22


def write_png(path: Path, canvas: Canvas) -> None:
    """Write a picture as a PNG with a palette; an older file is replaced only by a whole one.

    The imaginary axis points up. Pixels of the file are square in the plane: the axis that is sampled more
    densely is reduced, and the other one is never enlarged. So the 3200 x 3200 samples of the 2020 article's
    window, which is 3 by 2, become 3200 x 2133 pixels. The same picture gives the same bytes.

    Raises:
        FileError: If the file cannot be written.
    """
    with replacing(path) as file:
        encode_png(file, canvas)


def encode_png(file: BinaryIO, canvas: Canvas) -> None:
    """Write what `write_png` writes to an open file; a part of the picture at a time is in memory."""
    width, height = _square_pixels(canvas.plan)
    png.Writer(width, height, palette=rainbow().tolist(), bitdepth=8).write(
        file, _lines(canvas, width, height)
    )


def _lines(canvas: Canvas, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the lines of the file from top to bottom."""
    plan = canvas.plan
    scale = plan.height / height
    step = max(1, int(PIECE_PIXELS / (plan.width * scale)))
    for top in range(0, height, step):
        bottom = min(top + step, height)
        # A line is made of those samples that are nearer than one line of the file to its middle.
        first, end = max(0, int((top - 1) * scale)), min(plan.height, int((bottom + 1) * scale) + 1)
        part = np.flipud(canvas.rows(plan.height - end, plan.height - first))
        if (width, height) != (plan.width, plan.height):
            # Averaging indices is averaging values, because the palette runs in the order of the values.
            part = np.asarray(
                Image.fromarray(part).resize(
                    (width, bottom - top),
                    Image.Resampling.BILINEAR,
                    box=(0, top * scale - first, plan.width, bottom * scale - first),
                )
            )
        yield from part


def _square_pixels(plan: Plan) -> tuple[int, int]:
    """Return columns and rows of the file."""
    ratio = (plan.view.y_max - plan.view.y_min) / (plan.view.x_max - plan.view.x_min)
    height = max(1, round(plan.width * ratio))
    if height <= plan.height:
        return plan.width, height
    return max(1, round(plan.height / ratio)), plan.height
