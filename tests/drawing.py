"""A Mandelbrot picture as a single process draws it, and as the command is asked for it."""

import io

import numpy as np
from numpy.typing import NDArray

from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.draw import draw
from workloads.mandelbrot.palette import colour_scale, fill_indices
from workloads.mandelbrot.plan import Plan
from workloads.results.png import encode_png


def options(plan: Plan, repeats: int) -> list[str]:
    """Return the options of `piray run mandelbrot` for a plan with the default view and threshold."""
    return [
        f"--x-grids={plan.x_grids}",
        f"--y-grids={plan.y_grids}",
        f"--grid-width={plan.grid_width}",
        f"--grid-height={plan.grid_height}",
        f"--max-iterations={plan.max_iterations}",
        f"--repeats={repeats}",
    ]


def drawn(plan: Plan) -> Canvas:
    """Return the canvas that a single process fills."""
    canvas = Canvas(plan)
    draw(canvas)
    return canvas


def colour_indices(values: NDArray[np.float32], plan: Plan) -> NDArray[np.uint8]:
    """Return the colours of smooth values, of the same shape."""
    indices = np.empty(values.shape, dtype=np.uint8)
    fill_indices(values, colour_scale(plan), indices)
    return indices


def png(canvas: Canvas) -> bytes:
    """Return the PNG of a canvas."""
    file = io.BytesIO()
    encode_png(file, canvas)
    return file.getvalue()


def picture(plan: Plan) -> bytes:
    """Return the PNG that a single process draws."""
    return png(drawn(plan))
