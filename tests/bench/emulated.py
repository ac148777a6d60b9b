"""What the emulated arm64 Python computes, and this machine's, for the same input: one line of JSON."""

import hashlib
import json
import platform
from typing import Any

from workloads.mandelbrot.draw import compute_band
from workloads.mandelbrot.plan import Band, Plan, View
from workloads.mandelbrot.reference import check_kernel, compute_tile
from workloads.pi.kernel import count_inside

# The 2020 article's picture with odd sizes, and a view where pixels escape late.
PLANS = (
    Plan(grid_width=29, grid_height=27),
    Plan(2, 2, 67, 61, View(-0.7463, -0.7453, 0.1102, 0.1110), max_iterations=900, threshold=2.5),
)
PI = ((100_001, 5, 6), (4_099, 2**63 + 12_345, 2**40 + 3))


def answers() -> dict[str, Any]:
    """Return the colours and the values of some pictures, as sums, and counts of samples."""
    pictures = []
    for plan in PLANS:
        check_kernel(plan)
        first = plan.height // 2 - 9
        colours = compute_band(plan, Band(first, first + 19, 0, plan.width))
        values = compute_tile(plan, plan.tile(1, 0))
        pictures.append([hashlib.sha256(part.tobytes()).hexdigest() for part in (colours, values)])
    return {"pictures": pictures, "pi": [count_inside(*arguments) for arguments in PI]}


if __name__ == "__main__":
    print(json.dumps({"machine": platform.machine(), **answers()}))
