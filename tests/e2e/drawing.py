"""A Mandelbrot picture as the command is asked for it, and as a single process draws it."""

from workloads.colour import colour_indices
from workloads.mandelbrot import compute_image
from workloads.picture import encode_png
from workloads.plan import Plan


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


def picture(plan: Plan) -> bytes:
    """Return the PNG that a single process draws."""
    return encode_png(colour_indices(compute_image(plan), plan), plan)
