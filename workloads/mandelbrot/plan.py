"""Decides what the Mandelbrot picture is made of: view, tiles, limits; needs neither numba nor Ray.

A picture is a grid of tiles. Each tile is sampled inclusively at both of its edges, as in the 2020 article,
so neighbouring tiles hold the same points along the edge that they share: that belongs to the problem. The
work is shared out by bands: any rows of the picture, in its whole width or a part of it, whatever tiles they
cut.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_GRIDS = 4096
MAX_GRID_PIXELS = 8192
# One row is computed in one piece; few programs open wider pictures.
MAX_SIDE = 2**20
# 2 GiB as colour indices, in a temporary file; a pod's /tmp holds 4 GiB.
MAX_PIXELS = 2**31
MAX_ITERATIONS = 100_000
MIN_THRESHOLD = 2.0
MAX_THRESHOLD = 1e6
MAX_COORDINATE = 1e3
# Closer than this many rounding units, neighbouring samples start to coincide.
MIN_STEP_UNITS = 8.0
# A strip is the least that the work is cut into: the kernel computes blocks of up to eight rows, and takes as
# long for a part of one.
STRIP_ROWS = 8


@dataclass(frozen=True)
class View:
    """Window of the complex plane, in units of the plane; row 0 of a picture is y_min.

    Attributes:
        x_min: Real part of the first column.
        x_max: Real part of the last column.
        y_min: Imaginary part of the first row.
        y_max: Imaginary part of the last row.
    """

    x_min: float = -2.0
    x_max: float = 1.0
    y_min: float = -1.0
    y_max: float = 1.0


@dataclass(frozen=True)
class Band:
    """Some rows of the picture, over its whole width if possible; the unit of work.

    Attributes:
        first: First row.
        end: The row after the last.
        left: First column.
        right: The column after the last.
    """

    first: int
    end: int
    left: int
    right: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.end - self.first

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.right - self.left


@dataclass(frozen=True)
class Tile:
    """One rectangle of the picture and of the plane, sampled by itself.

    Attributes:
        row: Index of the tile along y, from 0.
        col: Index of the tile along x, from 0.
        height: Rows of pixels.
        width: Columns of pixels.
        x_begin: Real part of the tile's first column.
        x_end: Real part of the tile's last column.
        y_begin: Imaginary part of the tile's first row.
        y_end: Imaginary part of the tile's last row.
    """

    row: int
    col: int
    height: int
    width: int
    x_begin: float
    x_end: float
    y_begin: float
    y_end: float

    def x_samples(self) -> NDArray[np.float64]:
        """Return the real parts of the tile's columns, inclusive at both ends, shape (width,)."""
        return np.linspace(self.x_begin, self.x_end, self.width)

    def y_samples(self) -> NDArray[np.float64]:
        """Return the imaginary parts of the tile's rows, inclusive at both ends, shape (height,)."""
        return np.linspace(self.y_begin, self.y_end, self.height)


@dataclass(frozen=True)
class Plan:
    """The whole problem; the defaults are the 2020 article's.

    Attributes:
        x_grids: Tiles along x.
        y_grids: Tiles along y.
        grid_width: Columns of pixels of one tile.
        grid_height: Rows of pixels of one tile.
        view: Window of the complex plane.
        max_iterations: Updates of a pixel that never escapes.
        threshold: A pixel has escaped once |z| is above this.
        preview: Iterate in float32: faster, and wrong near the border of the set.

    Raises:
        ValueError: One line for each value that breaks its rule.
    """

    x_grids: int = 32
    y_grids: int = 32
    grid_width: int = 100
    grid_height: int = 100
    view: View = field(default_factory=View)
    max_iterations: int = 32
    threshold: float = 200.0
    preview: bool = False

    def __post_init__(self) -> None:
        """Refuse a plan that cannot be computed, with every problem at once."""
        problems = [*_integer_problems(self), *_real_problems(self)]
        if not problems:
            problems = [*_size_problems(self), *_resolution_problems(self)]
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def width(self) -> int:
        """Columns of pixels of the picture."""
        return self.x_grids * self.grid_width

    @property
    def height(self) -> int:
        """Rows of pixels of the picture."""
        return self.y_grids * self.grid_height

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Plan":
        """Rebuild a plan from `to_dict`.

        Raises:
            ValueError: If a key is unknown or missing, or a value breaks its rule.
        """
        _require_keys("plan", values, cls)
        view = values["view"]
        if not isinstance(view, Mapping):
            raise ValueError(f"view is {view!r}: it must hold x_min, x_max, y_min and y_max.")
        _require_keys("view", view, View)
        return cls(**{**values, "view": View(**view)})

    def x_samples(self) -> NDArray[np.float64]:
        """Return the real parts of the picture's columns, shape (width,)."""
        return _samples(self.view.x_min, self.view.x_max, self.x_grids, self.grid_width)

    def y_samples(self) -> NDArray[np.float64]:
        """Return the imaginary parts of the picture's rows, shape (height,)."""
        return _samples(self.view.y_min, self.view.y_max, self.y_grids, self.grid_height)

    def tile(self, row: int, col: int) -> Tile:
        """Return one tile."""
        xs = np.linspace(self.view.x_min, self.view.x_max, self.x_grids + 1)
        ys = np.linspace(self.view.y_min, self.view.y_max, self.y_grids + 1)
        return Tile(
            row=row,
            col=col,
            height=self.grid_height,
            width=self.grid_width,
            x_begin=float(xs[col]),
            x_end=float(xs[col + 1]),
            y_begin=float(ys[row]),
            y_end=float(ys[row + 1]),
        )


def _samples(begin: float, end: float, grids: int, pixels: int) -> NDArray[np.float64]:
    """Return the samples of all tiles along an axis, inclusive at both ends of each."""
    edges = np.linspace(begin, end, grids + 1)
    return np.linspace(edges[:-1], edges[1:], pixels, axis=1).ravel()


def _require_keys(name: str, values: Mapping[str, Any], record: type) -> None:
    """Refuse a mapping whose keys are not exactly the fields of a dataclass."""
    expected = {item.name for item in fields(record)}
    problems = [f"{name} has the unknown key {key!r}: remove it." for key in sorted(values.keys() - expected)]
    problems += [f"{name} lacks the key {key!r}: add it." for key in sorted(expected - values.keys())]
    if problems:
        raise ValueError("\n".join(problems))


def _integer_problems(plan: Plan) -> Iterator[str]:
    limits = {
        "x_grids": MAX_GRIDS,
        "y_grids": MAX_GRIDS,
        "grid_width": MAX_GRID_PIXELS,
        "grid_height": MAX_GRID_PIXELS,
        "max_iterations": MAX_ITERATIONS,
    }
    for name, limit in limits.items():
        value = getattr(plan, name)
        if type(value) is not int or not 1 <= value <= limit:
            yield f"{name} is {value!r}: choose a whole number from 1 to {limit}."


def _real_problems(plan: Plan) -> Iterator[str]:
    if not isinstance(plan.preview, bool):
        yield f"preview is {plan.preview!r}: it must be true or false."
    if not _is_real(plan.threshold) or not MIN_THRESHOLD <= plan.threshold <= MAX_THRESHOLD:
        yield f"threshold is {plan.threshold!r}: choose a number from {MIN_THRESHOLD:g} to {MAX_THRESHOLD:g}."
    for axis in ("x", "y"):
        begin, end = getattr(plan.view, f"{axis}_min"), getattr(plan.view, f"{axis}_max")
        bad = [
            f"view.{axis}_{side} is {value!r}: choose a number within ±{MAX_COORDINATE:g}."
            for side, value in (("min", begin), ("max", end))
            if not _is_real(value) or not abs(value) <= MAX_COORDINATE
        ]
        yield from bad
        if not bad and not begin < end:
            yield f"view.{axis}_min is {begin!r}, view.{axis}_max is {end!r}: the first must be the smaller."


def _size_problems(plan: Plan) -> Iterator[str]:
    for name, side in (("x_grids * grid_width", plan.width), ("y_grids * grid_height", plan.height)):
        if side > MAX_SIDE:
            yield f"{name} is {side}: choose at most {MAX_SIDE} pixels on a side."
    if plan.width * plan.height > MAX_PIXELS:
        yield (
            f"The picture would be {plan.width} x {plan.height} pixels: choose fewer or smaller tiles, "
            f"at most {MAX_PIXELS} pixels ({MAX_PIXELS // 2**20} MiB of colours)."
        )


def _resolution_problems(plan: Plan) -> Iterator[str]:
    for axis, pixels in (("x", plan.width), ("y", plan.height)):
        begin, end = getattr(plan.view, f"{axis}_min"), getattr(plan.view, f"{axis}_max")
        unit = float(np.spacing(max(abs(begin), abs(end))))
        if (end - begin) / pixels < MIN_STEP_UNITS * unit:
            yield (
                f"view.{axis}_min {begin!r} and view.{axis}_max {end!r} are too close for {pixels} different "
                "numbers of 64 bits between them: choose a wider view or fewer pixels."
            )


def _is_real(value: object) -> bool:
    # Compared, not converted: a whole number may be too large for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
